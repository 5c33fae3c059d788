"""What another package adds by entry points (tests/toys) is named in a recipe and runs."""

from pathlib import Path

import numpy as np
import pytest

import tiny
import weakseg
from weakseg.data.source import SOURCES
from weakseg.errors import WeaksegError
from weakseg.methods.registry import AFFINITIES, SEEDS
from weakseg.refine.registry import REFINEMENTS
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS

RECIPE = """
name: toys
stages: [localize, relate, refine, segment, predict, evaluate]
backbone: {name: test_resnet, weights: none, output_stride: 32}
classify: {method: toy-colours, options: {width: 100}}
localize: {scales: [1.0], flip: false, stride: 2}
relate: {method: toy-neighbours, toy_neighbours: {train: {epochs: 2, batch_size: 4, lr: 0.01}}}
refine: {steps: [toy_blur, background], toy_blur: {side: 5}, background: {rule: constant, threshold: 0.3}}
segment:
  network: toy_pixels
  toy_pixels: {width: 24}
  augment: {crop: 64}
  train: {epochs: 30, batch_size: 4, lr: 0.05, momentum: 0.9}
hardware: {accelerator: cpu, threads: 1}
"""


def test_each_kind_is_found_by_its_name():
    assert "toy-colours" in SEEDS.names()
    assert "toy-neighbours" not in SEEDS.names()
    assert AFFINITIES.names()[-1] == "toy-neighbours"
    assert "toy_blur" in REFINEMENTS.names()
    assert "toys" in SOURCES.names()
    assert "toy_pixels" in SEGMENTATION_NETWORKS.names()


def test_a_recipe_of_toys_alone_runs(tmp_path: Path):
    (tmp_path / "toys.yaml").write_text(RECIPE, encoding="utf-8")
    ended = tiny.weakseg("run", tmp_path / "toys.yaml", "--data", "toys:12", "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    finished = weakseg.open_run(tmp_path / "run")
    assert finished.recipe.classify.options.width == 100
    assert finished.recipe.relate.chosen.train.epochs == 2
    assert finished.recipe.segment.chosen.width == 24
    # A square of the colour that the tag names: without learning anything the masks are nearly right.
    assert finished.scores["refine"]["scores"]["miou_present"] > 0.8
    assert finished.scores["predict"]["scores"]["miou_present"] > 0.8
    assert finished.pseudo_mask("train0").shape == (48, 64)
    again = tiny.weakseg("run", tmp_path / "toys.yaml", "--data", "toys:12", "--out", tmp_path / "run")
    assert again.err.count("unchanged") + again.out.count("unchanged") == 6


def test_large_photos_go_through_any_network_in_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "toys.yaml").write_text(RECIPE, encoding="utf-8")
    ended = tiny.weakseg("run", tmp_path / "toys.yaml", "--data", "toys:12", "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    segment = weakseg.load_segmenter(tmp_path / "run")
    image = np.random.default_rng(0).integers(0, 256, (90, 150, 3)).astype(np.uint8)
    whole = segment(image)
    monkeypatch.setattr("weakseg.segmentation.inference.WHOLE", 5_000)
    assert (segment(image).labels == whole.labels).all()


def test_what_needs_no_training_is_not_trained(tmp_path: Path):
    (tmp_path / "toys.yaml").write_text(RECIPE.replace("[localize", "[classify, localize"), encoding="utf-8")
    with pytest.raises(WeaksegError, match="stages has classify, but toy-colours needs no training"):
        weakseg.load_recipe(str(tmp_path / "toys.yaml"))


def test_a_trained_stage_still_wants_its_training(tmp_path: Path):
    trained = RECIPE.replace("{method: toy-colours, options: {width: 100}}", "{method: cam}")
    (tmp_path / "toys.yaml").write_text(trained, encoding="utf-8")
    with pytest.raises(WeaksegError, match="stages: localize needs classify"):
        weakseg.load_recipe(str(tmp_path / "toys.yaml"))


def test_a_package_that_cannot_be_imported_harms_who_does_not_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = "[weakseg.methods]\nlost = not_there:X\n[weakseg.refinements]\ngone = weakseg_toys:Nothing\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    assert weakseg.load_recipe("sipe", ["small"]).name == "sipe"
    assert "lost" not in SEEDS.names()
    with pytest.raises(WeaksegError, match=r"seed method lost: the entry point not_there:X of broken cannot be loaded"):
        weakseg.load_recipe("cam", ["small"], ["classify.method=lost"])
    with pytest.raises(WeaksegError, match=r"refinement gone: .* cannot be loaded \(AttributeError"):
        weakseg.load_recipe("cam", ["small"], ["refine.steps=[background,gone]"])
