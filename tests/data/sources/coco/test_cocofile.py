from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weakseg.data.source import open_source
from weakseg.errors import WeaksegError

Photo = Callable[..., Path]


def tree(*images: str) -> dict[str, Any]:
    """Image i has category 10 + i, the first one also 11."""
    numbers = range(len(images))
    pairs = [(0, 11), *((number, 10 + number) for number in numbers)]
    return {
        "images": [{"id": number, "file_name": name} for number, name in zip(numbers, images, strict=True)],
        "annotations": [{"id": n, "image_id": image, "category_id": c} for n, (image, c) in enumerate(pairs)],
        "categories": [{"id": 10 + number, "name": name} for number, name in enumerate(("cat", "dog", "Dog "))],
    }


def written(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("folder", [".", "img", "../train2017"])
def test_categories_are_tags(tmp_path: Path, photo: Photo, folder: str) -> None:
    file = written(tmp_path / "set/annotations/tags.json", tree("1.jpg", "sub/2.jpg", "3.jpg"))
    for name in ("1.jpg", "sub/2.jpg", "3.jpg"):
        photo(file.parent / folder / name)
    source = open_source(f"coco:{file}")
    assert [(s.id, s.tags) for s in source.splits["train"]] == [
        ("1", ("dog", "cat")),
        ("sub/2", ("dog",)),
        ("3", ("dog",)),
    ]
    assert source.classes.names == ("cat", "dog")
    assert source.problems == ()
    assert source.splits["train"][0].read_image().shape == (6, 8, 3)
    assert open_source(str(file)).spec == f"coco:{file}"


def test_further_files_are_splits_and_images_may_lie_elsewhere(tmp_path: Path, photo: Photo) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        photo(tmp_path / "photos" / name)
    train, val = written(tmp_path / "a/t.json", tree("1.jpg", "2.jpg")), written(tmp_path / "a/v.json", tree("3.jpg"))
    source = open_source(f"coco:{train},val={val},images={tmp_path / 'photos'}")
    assert {split: [s.id for s in samples] for split, samples in source.splits.items()} == {
        "train": ["1", "2"],
        "val": ["3"],
    }


def test_outlines_and_lost_entries_are_told(tmp_path: Path, photo: Photo) -> None:
    photo(tmp_path / "1.jpg")
    content = tree("1.jpg", "gone.jpg")
    content["annotations"][0]["segmentation"] = [[0, 0, 1, 1, 1, 0]]
    content["annotations"].append({"image_id": 99, "category_id": 10})
    source = open_source(f"coco:{written(tmp_path / 't.json', content)}")
    assert [s.id for s in source.splits["train"]] == ["1"]
    assert "1 annotations are of no image or category of the file (first: image 99" in source.problems[0]
    assert "1 images of t.json are not there (gone.jpg); try images=FOLDER" in source.problems[1]
    assert any("1 annotations have outlines, which are not read" in line for line in source.warnings)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "line 1: not valid JSON"),
        ("[]", "not COCO's JSON, which holds the lists images, annotations, categories"),
        ('{"images": [1], "annotations": [], "categories": []}', "not COCO's JSON"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "not COCO's JSON.*`file_name`"),
    ],
)
def test_files_that_are_not_cocos(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(WeaksegError, match=match):
        open_source(f"coco:{tmp_path / 't.json'}")


def test_options_that_are_none(tmp_path: Path) -> None:
    file = written(tmp_path / "t.json", tree("1.jpg"))
    with pytest.raises(WeaksegError, match="unknown option of coco 'photos'; available: images=FOLDER"):
        open_source(f"coco:{file},photos")
    with pytest.raises(WeaksegError, match="nowhere: no such folder; images=FOLDER must hold"):
        open_source(f"coco:{file},images={tmp_path / 'nowhere'}")


def test_categories_of_whole_images_need_no_outlines(tmp_path: Path, photo: Photo) -> None:
    """As tools write image classification: annotations of image and category alone, or with empty fields."""
    for name in ("a/1.jpg", "a/2.jpg"):
        photo(tmp_path / "images" / name)
    content = {
        "images": [{"id": "x1", "file_name": "a/1.jpg"}, {"id": "x2", "file_name": "a/2.jpg"}],
        "annotations": [
            {"image_id": "x1", "category_id": 0},
            {"image_id": "x1", "category_id": 1, "segmentation": [], "bbox": [], "area": 0},
        ],
        "categories": [{"id": 0, "name": "traffic light"}, {"id": 1, "name": "bus"}, {"id": 2, "name": "tram"}],
    }
    source = open_source(str(written(tmp_path / "tags.json", content)))
    assert [(s.id, s.tags) for s in source.splits["train"]] == [("a/1", ("traffic light", "bus")), ("a/2", ())]
    assert source.classes.names == ("bus", "traffic light", "tram")
    assert not any("outlines" in line for line in source.warnings)
