from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weakseg.data.source import open_source
from weakseg.data.sources.labelstudio import image_names
from weakseg.errors import WeaksegError

Photo = Callable[..., Path]


def choices(*names: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "tags", "to_name": "image", "value": {"choices": list(names)}}


def task(number: int, image: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "data": {"image": image}, "annotations": list(annotations), "predictions": []}


def written(path: Path, *tasks: Any) -> Path:
    path.write_text(json.dumps(tasks))
    return path


def test_choices_and_labels_are_tags(tmp_path: Path, photo: Photo) -> None:
    for name in ("a/1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"):
        photo(tmp_path / "photos" / name)
    box = {"type": "rectanglelabels", "value": {"rectanglelabels": ["dog"], "x": 1, "y": 1}}
    old = {"result": [choices("cow")], "updated_at": "2024-05-01T00:00:00Z"}
    new = {"result": [choices("cat", "traffic light"), box], "updated_at": "2024-06-01T00:00:00Z"}
    cancelled = {"result": [choices("cow")], "updated_at": "2024-07-01T00:00:00Z", "was_cancelled": True}
    file = written(
        tmp_path / "export.json",
        task(1, "/data/local-files/?d=photos/a/1.jpg", new, old, cancelled),
        task(2, "/data/upload/3/0a1b2c3d-2.jpg", {"result": []}),
        task(3, "s3://bucket/set/3.jpg", {"result": [choices("dog")]}),
        task(4, "https://example.org/4.jpg?token=1"),
        task(5, "http://example.org/photos/5.jpg", cancelled),
        task(6, "gone.jpg", {"result": [choices("dog")]}),
    )
    source = open_source(str(file))
    assert source.spec == f"labelstudio:{file}"
    assert [(s.id, s.tags) for s in source.splits["train"]] == [
        ("a/1", ("cat", "traffic light", "dog")),
        ("2", ()),
        ("3", ("dog",)),
    ]
    assert "2 tasks have no finished annotation and are left out" in source.problems[0]
    assert "1 images of export.json are not there (gone.jpg)" in source.problems[1]
    assert any("1 regions have outlines or masks, which are not read" in line for line in source.warnings)


def test_other_keys_and_names_of_local_files() -> None:
    assert image_names("/data/local-files/?d=x%20y/1.jpg") == ("x y/1.jpg", "1.jpg")
    assert image_names("..\\up\\1.jpg") == ("up/1.jpg", "1.jpg")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("[", "line 1: not valid JSON"),
        ("{}", "not Label Studio's list of tasks"),
        ('[{"image": "1.jpg", "choice": "cat"}]', "export as JSON, not JSON-MIN"),
        ('[{"id": 7, "data": {"text": "x"}}]', "task 7: its data name no image"),
        ('[{"id": 7, "data": {"photo": "1.jpg"}, "annotations": 3}]', "task 7: its annotations are no list"),
    ],
)
def test_files_that_are_not_label_studios(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(WeaksegError, match=match):
        open_source(f"labelstudio:{tmp_path / 't.json'}")
