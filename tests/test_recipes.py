"""Every shipped recipe, alone and under every shipped overlay."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
import yaml

from weakseg.backbones.backbone import build_backbone
from weakseg.methods.registry import SEEDS
from weakseg.pipeline.bindings import ALL
from weakseg.recipes.loading import load_recipe, validate
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.shipped import overlay_files, recipe_files
from weakseg.recipes.stages import STAGES
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS

RECIPES = sorted(recipe_files())
NAMES = ("paper", "small", "demo")
LISTS = ("voc12", "coco14")
"""Overlays that name the lists of a data set."""
OVERLAYS = [layers for count in range(len(NAMES) + 1) for layers in combinations(NAMES, count)]
"""Every set of the others in the order in which they belong."""

shipped = cache(load_recipe)
"""Read once for all tests, and to be left as it is."""


def test_the_promised_recipes_are_there():
    published = {"cam", "affinitynet", "irnet", "vwe", "vwl", "seam", "cpn", "sipe", "ae-sipe"}
    assert set(RECIPES) >= published | {"supervised"}
    assert {*NAMES, *LISTS} == set(overlay_files())


@pytest.mark.parametrize("overlay", LISTS)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_takes_the_lists_of_a_data_set(name, overlay):
    recipe = shipped(name, (overlay,))
    assert validate(recipe.model_dump(mode="json")) == recipe
    lists = {"voc12": ("train_aug", "train", "val"), "coco14": ("train", None, "val")}
    assert (recipe.data.train, recipe.data.score, recipe.data.val) == lists[overlay]
    assert recipe.classify == shipped(name, ()).classify
    assert shipped(name, ("small", overlay)).data == recipe.data


def test_sipe_does_without_irnet_on_coco():
    recipe = shipped("sipe", ("coco14",))
    assert "relate" not in recipe.stages
    assert (recipe.refine.steps, recipe.refine.of("crf").certainty) == (("background", "crf"), 0.7)


@pytest.mark.parametrize("name", [name for name in RECIPES if "relate" in shipped(name, ()).stages])
def test_published_recipes_see_photos_as_the_released_code_and_small_ones_as_before(name):
    published, small, demo = (shipped(name, layers) for layers in ((), ("small",), ("small", "demo")))
    code = {"affinitynet": (1, False), "seam": (1, False), "cpn": (1, False), "sipe": (1, False), "ae-sipe": (1, False)}
    assert (published.localize.stride, published.localize.full) == code.get(name, (4, True))
    if published.relate.method == "irnet":
        assert (published.relate.irnet.canvas, published.relate.irnet.augment.nearest) == (512, "centre")
    for recipe in (small, demo):
        assert (recipe.localize.stride, recipe.localize.full) == (4, False)
        assert (recipe.relate.irnet.canvas, recipe.relate.irnet.augment.nearest) == ("photo", "corner")


@pytest.mark.parametrize("overlays", OVERLAYS, ids="+".join)
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_parses_with_overlays(name, overlays):
    recipe = shipped(name, overlays)
    assert recipe.name == name
    assert recipe.description
    assert recipe.classify.method in SEEDS.names()
    assert recipe.segment.network in SEGMENTATION_NETWORKS.names()
    assert recipe.stages[-1] == "evaluate"
    assert validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_only_supervised_uses_true_masks(name):
    assert shipped(name, ()).uses_true_masks == (name == "supervised")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_everything_of_its_stages(name):
    """The file itself gives each section that its stages read: a changed default changes no published recipe."""
    text = recipe_files()[name].read_text(encoding="utf-8")
    sections = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    stages = set(shipped(name, ()).stages) - {"evaluate"}
    assert stages | {"name", "description", "stages", "seed", "data", "backbone"} <= sections


@pytest.mark.parametrize("overlays", OVERLAYS, ids="+".join)
@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("supervised", "auto")])
def test_the_upper_bound_trains_the_same_network_in_the_same_way(name, overlays):
    weak, bound = shipped(name, overlays), shipped("supervised", overlays)
    if weak.segment.network != bound.segment.network:
        pytest.skip("another segmentation network")
    changed = weak.model_copy(update={"segment": replace(weak.segment, targets="truth")})
    assert ALL["segment"].settings(changed) == ALL["segment"].settings(bound)
    assert (weak.segment.targets, bound.segment.targets) == ("pseudo", "truth")
    assert weak.predict == bound.predict
    assert weak.seed == bound.seed


def test_the_upper_bound_of_auto_is_its_own_network():
    changes = ["stages=[segment, predict, evaluate]", "segment.targets=truth", "segment.start=backbone"]
    weak, bound = shipped("auto", ()), load_recipe("auto", [], changes)
    assert bound.uses_true_masks
    assert replace(bound.segment, targets="pseudo", start="selftrain") == weak.segment


PAPER = yaml.safe_load(overlay_files()["paper"].read_text(encoding="utf-8"))["only"]


def leaves(tree, *above):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, *above, key)
        else:
            yield (*above, key), value


@pytest.mark.parametrize("name", PAPER)
def test_the_overlay_paper_changes_what_it_names_and_nothing_else(name):
    ours, papers = (shipped(name, layers).model_dump(mode="json") for layers in ((), ("paper",)))
    before, named = dict(leaves(ours)), dict(leaves(PAPER[name]))
    assert {path: value for path, value in leaves(papers) if before[path] != value} == named


@pytest.mark.parametrize("name", PAPER)
def test_the_method_takes_what_the_overlay_paper_says(name):
    recipe = shipped(name, ("paper",))
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    SEEDS.get(recipe.classify.method).build(("a", "b", "c"), recipe.classify.options, lambda: backbone)


@pytest.mark.parametrize("name", RECIPES)
def test_small_is_offline_and_on_one_backbone(name):
    recipe = shipped(name, ("small",))
    for section in (recipe.backbone, recipe.relate.backbone, recipe.segment.backbone):
        assert section is None or (section.name, section.weights) == ("tf_efficientnet_lite0", "packaged")
    for section in (recipe.classify, recipe.relate.affinitynet, recipe.relate.irnet, recipe.segment):
        assert section.augment.crop == 256


def test_overrides_come_last_and_overlays_in_order(tmp_path):
    (tmp_path / "mine.yaml").write_text("seed: 5\nlocalize: {background: {threshold: 0.3}}\n")
    overlays = ["small", str(tmp_path / "mine.yaml")]
    recipe = load_recipe("cam", overlays)
    assert (recipe.seed, recipe.localize.background.threshold) == (5, 0.3)
    assert recipe.localize.scales == load_recipe("cam", ["small"]).localize.scales
    recipe = load_recipe("cam", overlays, ["seed=6", "localize.scales=[1.0]", "data.train=train_240"])
    assert (recipe.seed, recipe.localize.background.threshold, recipe.localize.scales) == (6, 0.3, (1.0,))
    assert recipe.data.train == "train_240"


def test_a_recipe_may_be_a_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nstages: [classify, localize]\n")
    assert load_recipe(str(tmp_path / "mine.yaml")).stages == ("classify", "localize")


def test_the_default_recipe_has_the_stages_of_the_papers():
    assert Recipe(name="x").stages == tuple(stage for stage in STAGES if stage not in ("instances", "selftrain"))
