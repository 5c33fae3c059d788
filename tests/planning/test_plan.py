"""Plans over all that photos and machines can be: each is a recipe that holds together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
import weakseg
from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, Sample, Source
from weakseg.planning.fingerprint import Fingerprint, Machine, fingerprint
from weakseg.planning.plan import changed_plan, make_plan
from weakseg.planning.rules import EPOCH, GIB, MOST_STEPS, choices
from weakseg.recipes.loading import load_recipe, validate
from weakseg.recipes.shipped import recipe_files

LAPTOP = Machine(cores=2, memory=16 * GIB)
ANIMALS = Fingerprint(749, 6, 0, 90, 1.3, (240, 320), 320, grey=False)


def planned(photos: Fingerprint, machine: Machine = LAPTOP, recipe: str = "irnet", given: Sequence[str] = ()):
    overlays = [] if recipe == "auto" else ["small"]
    settings = [
        f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
        for key, value, _ in choices(photos, machine, load_recipe(recipe, overlays, given))
    ]
    return load_recipe(recipe, overlays, [*settings, *given])


@pytest.mark.parametrize("name", sorted(recipe_files()))
def test_small_is_what_is_planned_for_the_photos_it_was_made_for(name: str):
    small = load_recipe(name, [] if name == "auto" else ["small"])
    plan = planned(ANIMALS, recipe=name)
    for section in ("data", "backbone", "classify", "localize", "predict", "hardware"):
        assert getattr(plan, section) == getattr(small, section), section
    assert plan.refine.steps == small.refine.steps
    for step in small.refine.steps:
        assert plan.refine.of(step) == small.refine.of(step)
    for section in {"relate", "selftrain"} & set(small.stages):
        assert getattr(plan, section) == getattr(small, section), section
    # Of the published recipes `small` keeps the network's published rates: their tables were measured so.
    rates = [] if name == "auto" else ["segment.deeplabv3plus.atrous_rates=[3, 6, 9]"]
    assert plan.segment == load_recipe(name, [] if name == "auto" else ["small"], rates).segment


@pytest.mark.parametrize("photos", [20, 245, 749, 100_000])
@pytest.mark.parametrize("name", ["auto", "irnet"])
def test_trainings_take_enough_steps_and_not_too_many(photos: int, name: str):
    recipe = planned(replace(ANIMALS, photos=photos), recipe=name)
    sections = [recipe.classify, recipe.relate.chosen, recipe.selftrain, recipe.segment]
    base = load_recipe(name, [] if name == "auto" else ["small"])
    for section, old in zip(sections, [base.classify, base.relate.chosen, base.selftrain, base.segment], strict=True):
        steps = section.train.epochs * (photos // min(section.train.batch_size, photos))
        assert min(old.train.epochs * EPOCH, MOST_STEPS) <= steps
        assert steps <= max(MOST_STEPS, photos // section.train.batch_size)


@pytest.mark.parametrize(("size", "crop", "walk"), [((64, 64), 64, 3), ((300, 400), 256, 9), ((4000, 6000), 256, 10)])
def test_crops_and_walks_are_in_proportion_to_the_photos(size: tuple[int, int], crop: int, walk: int):
    recipe = planned(Fingerprint(500, 3, 0, 100, 1.0, size, max(size), grey=False))
    assert recipe.classify.augment.crop == crop
    assert recipe.refine.of("boundary_walk").log2_steps == walk


def test_a_gpu_takes_larger_crops_and_little_memory_smaller_ones():
    large = planned(Fingerprint(500, 3, 0, 100, 1.0, (1000, 1500), 1500, grey=False), Machine(16, 64 * GIB, 80 * GIB))
    assert large.classify.augment.crop == 448
    assert large.hardware.workers == 8
    tight = planned(ANIMALS, Machine(2, 2 * GIB))
    assert (tight.classify.train.batch_size, tight.data.long_side, tight.localize.scales) == (8, 320, (1.0,))
    assert tight.backbone.recompute


@settings(deadline=None, max_examples=25)
@given(
    st.integers(2, 10**6),
    st.integers(1, 200),
    st.tuples(st.integers(1, 8000), st.integers(1, 8000)),
    st.booleans(),
    st.integers(1, 128),
    st.sampled_from([GIB // 2, 2 * GIB, 64 * GIB]),
    st.sampled_from([0, 8 * GIB]),
    st.sampled_from(["auto", "irnet", "affinitynet", "sipe", "vwe"]),
)
def test_any_photos_on_any_machine_give_a_recipe(photos, classes, size, grey, cores, memory, gpu, recipe):
    found = Fingerprint(photos, classes, photos // 3, 1, 1.0, size, max(size), grey)
    assert planned(found, Machine(cores, memory, gpu), recipe).name == recipe


def test_grey_photos_are_learnt_from_with_care():
    found = planned(replace(ANIMALS, grey=True)).classify.train
    assert (found.lr, found.clip) == (0.002, 5.0)
    assert planned(ANIMALS).classify.train.clip is None


def test_many_photos_without_a_tag_make_rare_labels_count_more():
    many, few = (planned(replace(ANIMALS, untagged=count), recipe="auto") for count in (200, 40))
    assert (many.segment.balance, many.selftrain.unbalance) == (0.5, 0.5)
    assert (few.segment.balance, few.selftrain.unbalance) == (0.0, 0.0)


def test_grey_photos_do_without_a_dense_crf():
    found = planned(replace(ANIMALS, grey=True), recipe="auto")
    assert (found.selftrain.views.crf, found.predict.crf) == (None, None)
    assert found.segment.chosen.pooled_epsilon > planned(ANIMALS, recipe="auto").segment.chosen.pooled_epsilon
    assert planned(ANIMALS, recipe="auto").predict.crf == "deeplabv2"


@pytest.mark.parametrize(
    ("machine", "given", "rates"),
    [
        (LAPTOP, [], (3, 6, 9)),
        (Machine(16, 64 * GIB, 80 * GIB), [], (3, 6, 9)),
        (LAPTOP, ["backbone.output_stride=8"], (6, 12, 18)),
    ],
)
def test_atrous_rates_follow_the_crop(machine, given, rates):
    assert planned(ANIMALS, machine, "auto", given).segment.chosen.atrous_rates == rates
    tiny = planned(replace(ANIMALS, size=(64, 64), long_side=64), machine, "auto", given).segment.chosen.atrous_rates
    assert tiny[0] >= 1
    assert tiny < rates


def test_the_file_is_the_recipe_with_its_reasons(tmp_path):
    source = weakseg.open_data("scenes:20")
    plan = make_plan(source, recipe="sipe", overrides=["seed=3", "classify.train.epochs=2"], machine=LAPTOP)
    text = plan.to_yaml()
    assert validate(yaml.safe_load(text)) == plan.recipe
    assert (plan.recipe.seed, plan.recipe.classify.train.epochs) == (3, 2)
    assert "# Planned for 20 photos (0 without a tag)" in text
    line = next(line for line in text.splitlines() if "crop:" in line)
    assert "# " in line
    assert "at most 256 on a CPU" in line


def test_the_fingerprint_counts_tags_and_looks_at_a_few_photos():
    def sample(index: int, *tags: str) -> Sample:
        grey = np.full((30, 40 + index, 3), 9 * index, np.uint8)
        return Sample(f"p{index}", lambda: grey, tags)

    samples = [sample(0, "cat"), sample(1, "cat", "dog"), sample(2), sample(3, "cat")]
    found = fingerprint(Source("x", Classes(("cat", "dog"), (1, 2), voc_palette()), {"train": samples}))
    assert (found.photos, found.classes, found.untagged, found.rarest) == (4, 2, 1, 1)
    assert found.tags == pytest.approx(4 / 3)
    assert (found.size, found.long_side, found.grey) == ((30, 41), 42, True)


def test_a_plan_is_printed_or_written_and_runs(tmp_path):
    photos = tiny.write_photos(tmp_path / "photos")
    ended = tiny.weakseg("plan", photos, "classify.train.epochs=1")
    assert ended.code == 0, ended.err
    assert validate(yaml.safe_load(ended.out)).classify.train.epochs == 1
    ended = tiny.weakseg("plan", photos, "--recipe", "affinitynet", "--out", tmp_path / "plan.yaml")
    assert f"weakseg run {tmp_path / 'plan.yaml'} --data {photos}" in ended.out.replace("\n", "")
    ended = tiny.weakseg(
        "run",
        tmp_path / "plan.yaml",
        "--with",
        tiny.write_overlay(tmp_path),
        "--data",
        photos,
        "--out",
        tmp_path / "run",
    )
    assert ended.code == 0, ended.err
    assert "none.csv" in tiny.error_line(tiny.weakseg("plan", tmp_path / "none.csv"))


def test_texts_of_several_lines_and_reasons_survive_a_change():
    plan = make_plan(weakseg.open_data("scenes:20"), overrides=['description="one\\ntwo"'], machine=LAPTOP)
    text = plan.to_yaml()
    assert yaml.safe_load(text)["description"] == "one\ntwo"
    changed = load_recipe("auto", [], ["seed=5"])
    again = changed_plan(text, changed, ["seed=5"])
    assert validate(yaml.safe_load(again)) == changed
    assert "# given" in next(line for line in again.splitlines() if line.startswith("seed:"))
    assert [line.split("  # ")[1:] for line in again.splitlines() if "crop:" in line] == [
        line.split("  # ")[1:] for line in text.splitlines() if "crop:" in line
    ]
