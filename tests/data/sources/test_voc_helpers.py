"""The lists and labels of psa, IRNet and their heirs beside a VOC folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weakseg.data.labels import VOC_NAMES
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError

Make = Callable[..., Path]
PHOTOS = {"2007_000032": ("aeroplane", "person"), "2007_000039": ("tvmonitor",), "2008_000002": ("cat",)}


def vector(*tags: str) -> Any:
    return np.array([name in tags for name in VOC_NAMES], np.float32)


@pytest.fixture
def voc(tmp_path: Path, photo: Make, mask: Make, text: Make) -> Path:
    """Three photos without any list in place; psa's lists and labels in voc12."""
    root = tmp_path / "VOC2012"
    for name in PHOTOS:
        photo(root / f"JPEGImages/{name}.jpg")
        mask(root / f"SegmentationClass/{name}.png", (0, 1, 255))
    both = [f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png\n" for name in PHOTOS]
    text(tmp_path / "voc12/train_aug.txt", "".join(both[:2]))
    text(tmp_path / "voc12/val.txt", "2008_000002\n")
    np.save(tmp_path / "voc12/cls_labels.npy", {name: vector(*tags) for name, tags in PHOTOS.items()})
    return root


def listed(spec: str) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    source = open_source(spec)
    assert source.problems == ()
    assert len(source.classes) == 4
    return {split: [(sample.id, sample.tags) for sample in samples] for split, samples in source.splits.items()}


def test_lists_and_labels_of_psa(voc: Path) -> None:
    helpers = voc.parent / "voc12"
    pairs = list(PHOTOS.items())
    labels = f"labels={helpers / 'cls_labels.npy'}"
    assert listed(f"voc:{voc},lists={helpers},{labels}") == {"train_aug": pairs[:2], "val": pairs[2:]}
    both = f"lists={helpers / 'train_aug.txt'},lists={helpers / 'val.txt'}"
    assert listed(f"voc:{voc},{labels},{both}") == {"train_aug": pairs[:2], "val": pairs[2:]}
    named = f"train={helpers / 'train_aug.txt'},val={helpers / 'val.txt'}"
    assert listed(f"voc:{voc},{named},{labels}") == {"train": pairs[:2], "val": pairs[2:]}
    source = open_source(f"voc:{voc},lists={helpers},{labels}")
    assert source.splits["val"][0].read_mask()[:3, 0].tolist() == [0, 1, 255]


def test_ids_as_numbers_and_files_in_the_folder(voc: Path, text: Make) -> None:
    numbers = {int(name.replace("_", "")): vector(*tags) for name, tags in PHOTOS.items()}
    np.save(voc / "cls_labels.npy", numbers)
    text(voc / "ImageSets/Segmentation/train.txt", "\n".join(PHOTOS))
    assert listed(f"voc:{voc},labels=cls_labels.npy") == {"train": list(PHOTOS.items())}


def test_photos_without_labels_are_told(voc: Path) -> None:
    np.save(voc / "few.npy", {"2008_000002": vector("cat")})
    source = open_source(f"voc:{voc},lists={voc.parent / 'voc12'},labels=few.npy")
    assert source.problems[0] == f"2007_000032: no tags: not in {voc / 'few.npy'}"
    assert source.empty["train_aug"].startswith("none of the images of")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([1, 2], "no dict of label vectors"),
        ({"a": np.ones(80)}, "a: a vector of 80, but there are 20 classes: aeroplane"),
        ({"a": np.full(20, 0.5)}, r"a: holds 0\.5; labels are 0 or 1"),
        ({"a": "cat"}, "a: no vector but"),
    ],
)
def test_labels_that_are_none(voc: Path, content: Any, match: str) -> None:
    np.save(voc / "x.npy", content)
    with pytest.raises(WeaksegError, match=match):
        open_source(f"voc:{voc},lists={voc.parent / 'voc12'},labels=x.npy")


def test_files_that_are_not_there(voc: Path) -> None:
    with pytest.raises(WeaksegError, match=r"gone\.npy: no such file, as it is written or in .*\(labels=gone\.npy\)"):
        open_source(f"voc:{voc},labels=gone.npy")
    with pytest.raises(WeaksegError, match="unknown option of voc 'lists'; available: lists=FILE"):
        open_source(f"voc:{voc},lists")
