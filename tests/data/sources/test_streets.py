"""CamVid and Cityscapes: their layouts, values, and what their tags are worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weakseg.data.source import inspect, open_source, training_warnings
from weakseg.data.sources.camvid import COLOURS
from weakseg.errors import WeaksegError

Make = Callable[..., Path]


def cityscapes(root: Path, photo: Make, mask: Make, count: int = 2) -> Path:
    for split, city in (("train", "aachen"), ("val", "ulm"), ("test", "bonn")):
        for number in range(count):
            name = f"{city}_{number:06}_000019"
            photo(root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png")
            values = (7, 3) if number % 12 else (7, 26, 23, 0, 255)
            mask(root / f"gtFine/{split}/{city}/{name}_gtFine_labelIds.png", values)
            mask(root / f"gtFine/{split}/{city}/{name}_gtFine_instanceIds.png", (1,))
    return root


def test_cityscapes(tmp_path: Path, photo: Make, mask: Make) -> None:
    source = open_source(str(cityscapes(tmp_path, photo, mask)))
    assert source.spec == f"cityscapes:{tmp_path}"
    assert len(source.classes) == 19
    assert {split: [(s.id, s.tags) for s in samples] for split, samples in source.splits.items()} == {
        "train": [("aachen/aachen_000000_000019", ("road", "sky", "car")), ("aachen/aachen_000001_000019", ("road",))],
        "val": [("ulm/ulm_000000_000019", ("road", "sky", "car")), ("ulm/ulm_000001_000019", ("road",))],
    }
    labels = source.classes.to_labels(source.splits["train"][0].read_mask())
    assert labels[:, 0].tolist() == [1, 14, 11, 255, 255, 1]  # what is not scored is ignored: nothing is background
    assert source.warnings[0] == "the tags of 4 images are read from their masks: Cityscapes has no others"
    assert "its masks are not public" in source.warnings[1]
    assert source.problems == ()
    assert inspect(source.splits["val"], masks=True)[1] == []


def test_tags_that_nearly_every_photo_has(tmp_path: Path, photo: Make, mask: Make) -> None:
    source = open_source(str(cityscapes(tmp_path, photo, mask, count=24)))
    assert not any(
        "nearly every" in line for line in training_warnings(source, "train")
    )  # 'road' alone, on all of them
    for number in range(23):
        mask(tmp_path / f"gtFine/train/aachen/aachen_{number:06}_000019_gtFine_labelIds.png", (7, 26, 23))
    (line,) = (line for line in training_warnings(open_source(str(tmp_path)), "train") if "nearly every" in line)
    assert line.startswith(
        "3 of 19 tags are on nearly every training photo: 'road' (100 %), 'sky' (96 %), 'car' (96 %)"
    )
    assert "a photo has 2.9 of 19 tags" in line


def test_camvid_as_segnets_authors_share_it(tmp_path: Path, photo: Make, mask: Make) -> None:
    for split in ("train", "val", "test"):
        photo(tmp_path / split / f"{split}_1.png")
        mask(tmp_path / f"{split}annot" / f"{split}_1.png", (0, 8, 10, 11))
    photo(tmp_path / "train/lonely.png")
    source = open_source(str(tmp_path))
    assert source.spec == f"camvid:{tmp_path}"
    assert list(source.splits) == ["train", "val", "test"]
    (sample,) = source.splits["train"]
    assert sample.tags == ("sky", "car", "bicyclist")
    assert sample.read_mask()[:4, 0].tolist() == [1, 9, 11, 255]  # 0 is the sky there, not the background
    assert len(source.problems) == 1
    assert "lonely.png: no mask, and no tags without one" in source.problems[0]
    assert "the tags of 3 images are read from their masks: CamVid has no others" in source.warnings


def coloured(path: Path, colours: list[tuple[int, int, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(np.resize(np.array(colours, np.uint8), (6, 1, 3)), 8, axis=1)).save(path)


def test_camvid_as_cambridges_archives_unpack(tmp_path: Path, photo: Make, text: Make) -> None:
    lane, truck, void = (128, 0, 192), (192, 128, 192), (0, 0, 0)
    for name in ("0001TP_006690", "0006R0_f00930"):
        photo(tmp_path / f"701_StillsRaw_full/{name}.png")
        coloured(tmp_path / f"LabeledApproved_full/{name}_L.png", [lane, truck, void])
    source = open_source(str(tmp_path))
    assert [sample.id for sample in source.splits["train"]] == ["0001TP_006690", "0006R0_f00930"]
    sample = source.splits["train"][0]
    assert sample.tags == ("road", "car")
    assert sample.read_mask()[:3, 0].tolist() == [4, 9, 255]
    assert any("names no splits, so all photos are of train" in line for line in source.warnings)
    text(tmp_path / "train.txt", "0001TP_006690\ngone\n")
    text(tmp_path / "val.txt", "/x/val/0006R0_f00930.png /x/valannot/0006R0_f00930.png\n")
    source = open_source(str(tmp_path))
    assert {split: [s.id for s in samples] for split, samples in source.splits.items()} == {
        "train": ["0001TP_006690"],
        "val": ["0006R0_f00930"],
    }
    assert "1 photos of train.txt are not there (first: gone)" in source.problems[0]


def test_every_colour_of_camvid_is_of_one_class() -> None:
    colours = [colour for group in COLOURS.values() for colour in group]
    assert len(colours) == len(set(colours)) == 31


@pytest.mark.parametrize("kind", ["camvid", "cityscapes"])
def test_folders_that_hold_something_else(tmp_path: Path, kind: str) -> None:
    with pytest.raises(WeaksegError, match=f"{kind}:PATH wants"):
        open_source(f"{kind}:{tmp_path}")
