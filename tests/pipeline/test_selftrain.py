"""Self-training: new masks held to the tags, and a segmentation network that goes on from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tiny
import weakseg
from weakseg.data.images import read_mask
from weakseg.errors import WeaksegError
from weakseg.pipeline import bindings
from weakseg.pipeline.outlook import reopened
from weakseg.pipeline.reviews import Reviews
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.loading import load_recipe


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> weakseg.FinishedRun:
    # So slow a rate that the network of segment stays where it started.
    recipe = load_recipe("auto", [], [*tiny.overrides(), *tiny.AUTO, "segment.train.lr=1e-12"])
    return weakseg.run(recipe, f"voc:{photos}", tmp_path_factory.mktemp("auto") / "run")


def test_only_background_and_the_tags_win_a_pixel(finished: weakseg.FinishedRun) -> None:
    for name, tags in tiny.TRAIN.items():
        labels = set(np.unique(read_mask(finished.folder / "selftrain" / "masks" / f"{name}.png")).tolist())
        assert labels <= {0, *(tiny.CLASSES[tag] for tag in tags.split())}
        assert (finished.folder / "selftrain" / "confidence" / f"{name}.png").is_file()


def test_its_masks_are_the_pseudo_masks_and_are_scored_beside_the_first_ones(finished: weakseg.FinishedRun) -> None:
    name = "p6"
    values = read_mask(finished.folder / "selftrain" / "masks" / f"{name}.png")
    assert np.array_equal(finished.pseudo_mask(name), finished.classes.to_labels(values))
    assert list(finished.scores) == ["localize", "refine", "selftrain", "predict"]
    assert finished.manifest["weights"]["selftrain"]["trained"]


def test_segment_starts_from_its_network(finished: weakseg.FinishedRun) -> None:
    before = load_file(finished.folder / "selftrain" / "weights.safetensors")
    after = load_file(finished.folder / "segment" / "weights.safetensors")
    trained = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in trained)


def test_a_labelling_that_was_cut_short_goes_on_without_training_again(
    finished: weakseg.FinishedRun, photos: Path
) -> None:
    folder = finished.folder / "selftrain"
    record = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps(record | {"done": False}))
    kept, weights = read_mask(folder / "masks" / "p6.png"), (folder / "weights.safetensors").stat().st_mtime_ns
    (folder / "masks" / "p6.png").unlink()
    weakseg.run(finished.recipe, f"voc:{photos}", finished.folder)
    assert np.array_equal(read_mask(folder / "masks" / "p6.png"), kept)
    assert (folder / "weights.safetensors").stat().st_mtime_ns == weights


def test_masks_have_the_photos_size_whatever_the_working_size(photos: Path, tmp_path: Path) -> None:
    recipe = load_recipe("auto", [], [*tiny.overrides(), *tiny.AUTO, "data.long_side=40"])
    finished = weakseg.run(recipe, f"voc:{photos}", tmp_path / "run")
    for sample in weakseg.open_data(f"voc:{photos}").splits["train"]:
        assert finished.pseudo_mask(sample.id).shape == sample.photo_size()


def test_a_run_without_masks_says_so(photos: Path, tmp_path: Path) -> None:
    recipe = load_recipe("supervised", [], [*tiny.overrides(), "segment.train.epochs=1"])
    finished = weakseg.run(recipe, f"voc:{photos}", tmp_path / "run")
    with pytest.raises(WeaksegError, match="has made no "):
        finished.pseudo_mask("p0")


def test_self_training_needs_first_masks_even_beside_true_ones() -> None:
    stages = "stages=[selftrain,segment,predict,evaluate]"
    with pytest.raises(WeaksegError, match="selftrain needs refine"):
        load_recipe("auto", [], [stages, "segment.targets=truth"])


def test_a_start_without_its_stage_is_refused() -> None:
    with pytest.raises(WeaksegError, match=r"segment\.start is selftrain, which needs the stage selftrain"):
        load_recipe("irnet", ["small"], ["segment.start=selftrain"])


def test_doubtful_pixels_of_photos_with_several_tags_are_not_learnt(finished: weakseg.FinishedRun) -> None:
    context = reopened(Run(finished.folder))
    changed = {}
    for sample in context.train.samples:
        first, learnt = context.read_taught_mask(sample, "refine"), context.read_sure_mask(sample)
        assert set(np.unique(learnt[learnt != first])) <= {255}
        changed[sample.id] = bool((learnt != first).any())
    assert not any(changed[name] for name, tags in tiny.TRAIN.items() if len(tags.split()) < 2)
    assert changed["p4"] or changed["p6"]
    both = next(sample for sample in context.train.samples if sample.id == "p4")
    drawn = replace(context, reviews=Reviews(drawn={"p4": context.pseudo_mask_path(both, "refine")}))
    assert np.array_equal(drawn.read_sure_mask(both), context.read_taught_mask(both, "refine"))


def test_the_stage_learns_without_doubtful_pixels_and_takes_back_what_the_recipe_says(
    finished: weakseg.FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = reopened(Run(finished.folder))
    recipe = load_recipe(str(finished.folder / "recipe.yaml"), [], ["selftrain.unbalance=0.25"])
    context = replace(context, recipe=recipe)
    given: dict[str, Any] = {}
    monkeypatch.setattr(bindings, "selftrain", lambda *args, **kwargs: given.update(kwargs) or {})
    monkeypatch.setattr(bindings, "_present", lambda *args: {})
    bindings.ALL["selftrain"].work(context)
    sample = next(sample for sample in context.train.samples if sample.id == "p6")
    assert np.array_equal(given["learnt"](sample), context.read_sure_mask(sample))
    assert given["unbalance"] == 0.25
