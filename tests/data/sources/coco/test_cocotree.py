from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as run_lengths

from weakseg.data.source import inspect, open_source
from weakseg.data.sources.coco.index import read_index
from weakseg.data.sources.coco.tree import COCO_NAMES
from weakseg.errors import WeaksegError

Make = Callable[..., Path]
IDS = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
CATEGORIES = [{"supercategory": "x", "id": number, "name": name} for number, name in zip(IDS, COCO_NAMES, strict=True)]


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top, right, top, right, bottom, left, bottom]]


def region(number: int, image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {
        "segmentation": segmentation,
        "area": 1.5,
        "iscrowd": crowd,
        "image_id": image,
        "bbox": [],
        "category_id": category,
        "id": number,
    }


def write(root: Path, split: str, images: list[int], annotations: list[dict[str, Any]], photo: Make | None) -> Path:
    """A split as the archives unpack; without ``photo`` only its annotations."""
    year = split[-4:]
    names = [f"COCO_{split}_{number:012}.jpg" if year == "2014" else f"{number:012}.jpg" for number in images]
    path = root / f"annotations/instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [{"id": n, "file_name": name, "height": 6, "width": 8} for n, name in zip(images, names, strict=True)]
    path.write_text(json.dumps({"info": {}, "images": listed, "annotations": annotations, "categories": CATEGORIES}))
    for name in names if photo else []:
        photo(root / split / name)
    return path


@pytest.fixture
def coco(tmp_path: Path, photo: Make) -> Path:
    """Photo 9 has a person in front of a car, a crowd of dogs below both; 25 nothing; 30 uncompressed run lengths."""
    regions = [
        region(1, 9, 1, box(1, 1, 4, 4)),
        region(2, 9, 3, box(0, 0, 8, 5)),
        region(3, 9, 18, {"counts": [0, 48], "size": [6, 8]}, crowd=1),
        region(4, 30, 90, {"counts": [0, 6, 42], "size": [6, 8]}),
        region(5, 30, 90, []),
    ]
    root = tmp_path / "coco"
    write(root, "train2014", [9, 25, 30], regions, photo)
    write(root, "val2014", [42], [region(6, 42, 2, box(0, 0, 2, 2))], photo)
    return root


def test_the_archives_as_they_unpack(coco: Path) -> None:
    source = open_source(str(coco))
    assert source.spec == f"coco:{coco}"
    assert source.classes.names == COCO_NAMES
    assert source.classes.values == tuple(range(1, 81))
    tags = {split: [(s.id, s.tags) for s in samples] for split, samples in source.splits.items()}
    assert tags["train"] == [
        ("COCO_train2014_000000000009", ("person", "car", "dog")),
        ("COCO_train2014_000000000025", ()),
        ("COCO_train2014_000000000030", ("toothbrush",)),
    ]
    assert tags["val"] == [("COCO_val2014_000000000042", ("bicycle",))]
    assert (source.problems, source.warnings) == ((), ())
    assert inspect(source.splits["train"], masks=True)[1] == []


def test_masks_are_drawn_when_read_with_small_regions_on_top_and_crowds_below(coco: Path) -> None:
    nine, empty, brush = (sample.read_mask() for sample in open_source(str(coco)).splits["train"])
    expected = np.full((6, 8), 17, np.uint8)  # the dog is the 17th category
    expected[:5] = 3
    expected[1:4, 1:4] = 1
    np.testing.assert_array_equal(nine, expected)
    assert not empty.any()
    assert brush.shape == (6, 8)
    assert (brush[:, 0] == 80).all()
    assert not brush[:, 1:].any()


def test_compressed_run_lengths_and_masks_sent_to_other_processes(tmp_path: Path, photo: Make) -> None:
    pixels = np.zeros((6, 8), np.uint8, order="F")
    pixels[2:4, 5:] = 1
    runs = run_lengths.encode(pixels)
    runs["counts"] = runs["counts"].decode()
    write(tmp_path, "train2014", [1], [region(1, 1, 1, runs)], photo)
    sample = pickle.loads(pickle.dumps(open_source(str(tmp_path)).splits["train"][0]))
    np.testing.assert_array_equal(sample.read_mask(), pixels)


def test_outlines_are_found_in_the_file_whatever_stands_around_them(tmp_path: Path) -> None:
    outlines = [box(0, 0, 1, 1), box(1, 1, 2, 2), box(0, 0, 1, 1), []]
    entries = [region(n, 1, 1, outline) for n, outline in enumerate(outlines)]
    entries[0]["bbox"] = box(1, 1, 2, 2)[0]
    path = write(tmp_path, "train2014", [1], entries, None)
    index, content = read_index(path), path.read_bytes()
    found = [content[start : start + size] for start, size, _ in index.outlines.tolist()]
    assert [json.loads(piece) for piece in found[:3]] == outlines[:3]
    assert found[3] == b""
    path.write_text("﻿" + path.read_text(), encoding="utf-8")
    assert len(read_index(path).images) == 1


def test_2017_by_its_year_and_a_val_that_is_not_unpacked(coco: Path, photo: Make) -> None:
    write(coco, "train2017", [9], [region(1, 9, 44, box(0, 0, 1, 1))], photo)
    write(coco, "val2017", [5], [], None)
    with pytest.raises(WeaksegError, match=r"holds COCO 2014 and 2017; choose with coco:.*,year=2014 or year=2017"):
        open_source(f"coco:{coco}")
    source = open_source(f"coco:{coco},year=2017")
    assert {split: [s.id for s in samples] for split, samples in source.splits.items()} == {"train": ["000000000009"]}
    assert source.splits["train"][0].tags == ("bottle",)
    assert source.warnings == (f"{coco / 'val2017'}: no such folder; the split val is left out",)


def test_masks_as_pngs(coco: Path, mask: Make) -> None:
    folder = coco / "masks"
    for name, values in (
        ("train2014/COCO_train2014_000000000009", (1, 3)),
        ("val2014/COCO_val2014_000000000042", (80,)),
    ):
        mask(folder / f"{name}.png", values)
    source = open_source(f"coco:{coco},masks={folder}")
    assert [sample.mask is not None for sample in source.splits["train"]] == [True, False, False]
    assert set(source.splits["train"][0].read_mask().flat) == {1, 3}
    assert source.splits["val"][0].tags == ("bicycle",)
    (coco / "annotations/instances_train2014.json").unlink()
    (coco / "annotations/instances_val2014.json").unlink()
    source = open_source(f"coco:{coco},masks={folder}")
    assert [sample.tags for sample in source.splits["train"]] == [("person", "car")]
    assert source.splits["val"][0].tags == ("toothbrush",)
    assert len(source.problems) == 2
    assert "the tags of 1 images are read from their masks: there are no annotations of train2014" in source.warnings


def test_a_classes_txt_gives_other_values(coco: Path, text: Make) -> None:
    text(coco / "classes.txt", "".join(f"{name} {number}\n" for number, name in zip(IDS, COCO_NAMES, strict=True)))
    source = open_source(str(coco))
    assert source.classes.values == tuple(IDS)
    assert set(np.unique(source.splits["train"][0].read_mask()).tolist()) == {1, 3, 18}
    text(coco / "classes.txt", "person 1\n")
    with pytest.raises(WeaksegError, match="no class 'car' in"):
        open_source(str(coco))


def test_a_photo_of_another_size_than_its_annotations_say(coco: Path, photo: Make) -> None:
    photo(coco / "train2014/COCO_train2014_000000000009.jpg", size=(9, 9))
    (line,) = inspect(open_source(str(coco)).splits["train"], masks=True)[1]
    assert line.startswith(f"{coco / 'annotations/instances_train2014.json'}: an image: 8x6, but")


def test_photos_that_are_not_there_are_told_in_one_line(coco: Path) -> None:
    for name in (9, 30):
        (coco / f"train2014/COCO_train2014_{name:012}.jpg").unlink()
    source = open_source(str(coco))
    assert len(source.splits["train"]) == 1
    assert source.problems == (
        f"{coco / 'train2014'}: 2 images of instances_train2014.json are not there "
        "(first: COCO_train2014_000000000009.jpg)",
    )


def test_a_file_that_changes_under_its_masks(coco: Path) -> None:
    sample = open_source(str(coco)).splits["train"][0]
    path = coco / "annotations/instances_train2014.json"
    path.write_text(" " * 30 + path.read_text())
    with pytest.raises(WeaksegError, match=r"instances_train2014\.json: (changed since|a segmentation that cannot)"):
        sample.read_mask()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (",year=2015", "unknown year of coco '2015'; available: 2014, 2017"),
        (",images=x", "unknown option of coco 'images'; available: year=2014"),
        (",masks=nowhere", "nowhere: no such folder; masks=FOLDER must hold PNGs"),
        (",year=2017", "no photos of COCO 2017"),
    ],
)
def test_what_cannot_be_opened(coco: Path, options: str, match: str) -> None:
    with pytest.raises(WeaksegError, match=match):
        open_source(f"coco:{coco}{options}")


def test_a_folder_without_coco(tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match=r"neither annotations/instances_train2014\.json nor"):
        open_source(f"coco:{tmp_path}")
