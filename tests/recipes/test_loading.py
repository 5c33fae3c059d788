"""What an overlay says to single recipes."""

from pathlib import Path

import pytest

from weakseg.backbones.backbone import BackboneSettings
from weakseg.errors import WeaksegError
from weakseg.recipes.loading import load_recipe, validate, validate_stored


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    text = "seed: 1\nclassify: {train: {lr: 0.5, epochs: 7}}\nonly: {irnet: {seed: 2, classify: {train: {lr: 0.25}}}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    return str(tmp_path / "mine.yaml")


def test_a_recipe_takes_what_is_meant_for_it(overlay: str) -> None:
    for name, seed, rate in (("irnet", 2, 0.25), ("cam", 1, 0.5)):
        recipe = load_recipe(name, [overlay])
        assert (recipe.seed, recipe.classify.train.lr, recipe.classify.train.epochs) == (seed, rate, 7)
    assert load_recipe("irnet", [overlay], ["seed=3"]).seed == 3


def test_later_overlays_lie_over_it(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "later.yaml").write_text("seed: 9\n")
    assert load_recipe("irnet", [overlay, str(tmp_path / "later.yaml")]).seed == 9


def test_a_recipe_of_a_file_goes_by_its_own_name(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: thesis\n")
    (tmp_path / "only.yaml").write_text("only: {thesis: {seed: 4}}\n")
    assert load_recipe(str(tmp_path / "recipe.yaml"), [overlay, str(tmp_path / "only.yaml")]).seed == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("only: {irnt: {seed: 2}}", r"mine.yaml: only.irnt: unknown recipe 'irnt'; available: .*irnet"),
        ("only: [irnet]", r"mine.yaml: only holds one tree of keys per recipe"),
        ("only: {irnet: 3}", r"mine.yaml: only holds one tree of keys per recipe"),
        ("only: {irnet: {sed: 2}}", "unknown key sed; available there: name"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(WeaksegError, match=message):
        load_recipe("irnet", [str(tmp_path / "mine.yaml")])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("classify=[1]", r"classify: must be a section of keys, not \[1\]"),
        ("stages={a: 1}", "stages: must be a list, not {'a': 1}"),
        ("hardware.threads=100000", "hardware.threads: input should be less than or equal to 1024"),
        ("classify.train.lr=.inf", "classify.train.lr: input should be a finite number"),
        ("seed=null", "seed: input should be a valid integer, not None"),
        ("stages=3", "stages: must be a list, not 3"),
    ],
)
def test_a_value_of_another_kind_is_one_line(override, message):
    with pytest.raises(WeaksegError, match=message):
        load_recipe("cam", ["small"], [override])


@pytest.mark.parametrize(
    ("text", "message"), [("3\n", "in place of keys"), ("a: 1\nb: 2\na: 3\n", "line 3: found duplicate")]
)
def test_a_file_that_is_no_tree_is_one_line(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(WeaksegError, match=message):
        load_recipe("cam", [str(tmp_path / "mine.yaml")])


def test_without_an_affinity_network_the_default_step_is_the_background(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nstages: [classify, localize, refine]\n")
    assert load_recipe(str(tmp_path / "mine.yaml")).refine.steps == ("background",)


def test_the_backbone_of_a_stage_takes_the_rest_from_the_recipes() -> None:
    """VGG16's only stride is 8, as AffinityNet's recipe has it and the default has not."""
    names = ["backbone.name=vgg16_20m", "backbone.weights=none", "relate.backbone.name=vgg16_20m_d4"]
    recipe = load_recipe("affinitynet", [], names)
    own = recipe.relate.backbone
    assert own is not None
    assert (own.name, own.output_stride, own.weights) == ("vgg16_20m_d4", 8, "none")
    assert own.build().strides[-1] == 8
    resnet = BackboneSettings("resnet50.tv_in1k", output_stride=16, dilation=False, batch_norm="frozen", weights="hub")
    assert load_recipe("cpn").relate.backbone == resnet


@pytest.mark.parametrize("section", ["relate", "refine", "segment"])
def test_a_run_keeps_its_recipe_when_a_method_that_it_did_not_use_is_gone(section: str) -> None:
    stored = load_recipe("auto").model_dump(mode="json")
    stored[section]["gone"] = {"steps": 3}
    with pytest.raises(WeaksegError, match=rf"unknown key {section}\.gone"):
        validate(stored)
    assert validate_stored(stored) == load_recipe("auto")
    stored["relate"]["method"] = "gone"
    with pytest.raises(WeaksegError, match=r"relate\.method: unknown affinity"):
        validate_stored(stored)
