"""Every command of docs/reproduce.md, dry, on small trees of the shape of VOC 2012 and COCO 2014."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from guides import DOCS, blocks, commands
from weakseg.data.labels import VOC_NAMES
from weakseg.pipeline import checks
from weakseg.pipeline.networks import builders
from weakseg.pipeline.rundir import disk
from weakseg.recipes.recipe import Recipe

COCO_NAMES = ("person", "bicycle", "car", *(f"thing {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(77)))
"""Three of the eighty names, and as many others."""
LINES = [line for block in blocks(DOCS / "reproduce.md") for line in commands(block)]
FIRST = {line.split()[2]: line for line in reversed(LINES)}
"""The first command of each recipe; the others are slow tests."""


def write_tree(root: Path, names: tuple[str, ...], splits: dict[str, list[str]]) -> None:
    """Photos in VOC's layout, tagged by their masks, with a class each in turn."""
    for folder in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number, photo in enumerate(dict.fromkeys(name for ids in splits.values() for name in ids)):
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 5:20], mask[0] = number % len(names) + 1, 255
        Image.fromarray(mask).save(root / "SegmentationClassAug" / f"{photo}.png")
        Image.new("RGB", (40, 30), (number, 100, 50)).save(root / "JPEGImages" / f"{photo}.jpg")
    for split, ids in splits.items():
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in ids))
    (root / "classes.txt").write_text("".join(f"{name}, {value}\n" for value, name in enumerate(names, start=1)))


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("benchmarks")
    years = [f"2007_{number:06}" for number in range(24)]
    lists = {"train_aug": years[:20], "train": years[:10], "val": years[20:]}
    write_tree(root / "VOC2012", VOC_NAMES, lists)
    coco = [f"COCO_train2014_{number:012}" for number in range(80)]
    write_tree(root / "COCO2014", COCO_NAMES, {"train": coco, "val": ["COCO_val2014_000000000042"]})
    return root


@pytest.fixture(autouse=True)
def _networks_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are built without memory and without the weights that nobody has here."""

    def check(recipe: Recipe, names: Iterable[str], stages: Iterable[str]) -> None:
        with torch.device("meta"):
            for build in builders(recipe, tuple(names), pretrained=False).values():
                build()

    monkeypatch.setattr(checks, "check_networks", check)
    monkeypatch.setattr(checks, "check_checkpoints", lambda recipe, run, classes: None)
    monkeypatch.setattr(disk, "weight_bytes", lambda recipe, names: 0)


@pytest.mark.parametrize(
    "line", [line if line in FIRST.values() else pytest.param(line, marks=pytest.mark.slow) for line in LINES]
)
def test_a_command_would_run(line: str, trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trees)
    command = line.replace('"', "").split()[1:]
    ended = tiny.weakseg(*command, "hardware.accelerator=cpu", "--dry-run")
    assert ended.code == 0, ended.err
    assert "evaluate" in ended.out
    assert not list(trees.glob("runs/*"))


def test_the_page_has_every_published_system() -> None:
    named = {line.split()[2] for line in LINES}
    assert named == {"cam", "affinitynet", "irnet", "seam", "cpn", "vwe", "vwl", "sipe", "ae-sipe"}
