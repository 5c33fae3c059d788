"""What is exported is read back, pixel by pixel, by the readers of each format's own world."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import export_readers as readers
from hard_masks import CLASSES, SIZE, Made
from weakseg.data.source import open_source
from weakseg.exporters.command import Written, export


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], flat: bool = False) -> None:
    names = {(name.replace("/", "_") if flat else name): labels for name, labels in expected.items()}
    assert found.keys() == names.keys()
    for name, labels in names.items():
        if found[name] is None:  # a format that has no size without an object
            assert not labels.any()
        else:
            np.testing.assert_array_equal(found[name], labels, err_msg=name)


def noted(written: Written, text: str) -> bool:
    return any(text in note for note in written.exported.notes)


def test_coco(made: Made, tmp_path: Path) -> None:
    written = export(made.run, "coco", tmp_path / "out")
    same(readers.coco(tmp_path / "out"), made.background())
    assert written.exported.counts == {"photos": 5, "annotations": 8}
    content = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert {entry["id"]: entry["name"] for entry in content["categories"]} == dict(
        zip(CLASSES.values, CLASSES.names, strict=True)
    )
    assert [entry["file_name"] for entry in content["images"]][:3] == ["a/1.jpg", "a/turned.jpg", "b/3.tif"]
    assert noted(written, "110 pixels of 2 masks are neither background nor a class (255)")
    assert noted(written, "the photos stay where they are, the first is")
    assert noted(written, "1 photos are turned by EXIF")


def test_objects_one_by_one_or_classes_whole(with_objects: Made, tmp_path: Path) -> None:
    written = export(with_objects.run, "coco", tmp_path / "objects")
    assert written.exported.counts == {"photos": 5, "annotations": 2}
    content = json.loads((tmp_path / "objects" / "annotations.json").read_text())
    assert [entry["score"] for entry in content["annotations"]] == [0.25, 0.75]
    only = {name: np.where(labels == 1, labels, 0) * (name == "a/1") for name, labels in with_objects.labels.items()}
    same(readers.coco(tmp_path / "objects"), only)
    export(with_objects.run, "cvat", tmp_path / "cvat")
    same(readers.cvat(tmp_path / "cvat" / "annotations.zip"), only)
    assert readers.cvat_objects(tmp_path / "cvat" / "annotations.zip", "a/1") == 2
    export(with_objects.run, "coco", tmp_path / "whole", whole=True)
    same(readers.coco(tmp_path / "whole"), with_objects.background())


def test_voc_and_back_as_a_data_source(made: Made, tmp_path: Path) -> None:
    written = export(made.run, "voc", tmp_path / "out", photos="copy")
    same(readers.palette(tmp_path / "out"), made.labels, flat=True)
    assert noted(written, "3 photos are in folders, which this format has not: a/1 is called a_1")
    with Image.open(tmp_path / "out" / "SegmentationClass" / "a_1.png") as picture:
        assert picture.mode == "P"
        assert tuple(picture.getpalette()[24:27]) == CLASSES.palette[8]
    source = open_source(str(tmp_path / "out"))
    assert source.problems == ()
    before = {sample.id: sample for sample in open_source(made.data).splits["train"]}
    for sample in source.splits["train"]:
        old = before[sample.id.replace("_", "/")]
        assert sample.tags == old.tags
        np.testing.assert_array_equal(source.classes.to_labels(sample.read_mask()), made.labels[old.id])
        if "turned" not in sample.id:
            np.testing.assert_array_equal(sample.read_image(), old.read_image())
        assert sample.read_image().shape == old.read_image().shape


def test_voc_with_objects(with_objects: Made, tmp_path: Path) -> None:
    export(with_objects.run, "voc", tmp_path / "out")
    with Image.open(tmp_path / "out" / "SegmentationObject" / "a_1.png") as picture:
        numbers = np.array(picture)
    assert set(np.unique(numbers)) == {0, 1, 2}
    assert ((numbers > 0) == (with_objects.labels["a/1"] == 1)).all()


def test_png(made: Made, tmp_path: Path) -> None:
    export(made.run, "png", tmp_path / "out", photos="copy")
    same(readers.palette(tmp_path / "out", "masks"), made.labels)
    with Image.open(tmp_path / "out" / "masks" / "a" / "1.png") as picture:
        assert picture.mode == "L"
    assert (tmp_path / "out" / "classes.txt").read_text() == "cat\t8\ntraffic light\t3\ndog & cow\t12\n"
    with Image.open(tmp_path / "out" / "images" / "a" / "turned.jpg") as picture:
        assert picture.size == SIZE  # upright: 40 wide, 52 high
        assert 0x0112 not in picture.getexif()
    assert (tmp_path / "out" / "images" / "b" / "3.png").is_file()


def test_cvat(made: Made, tmp_path: Path) -> None:
    written = export(made.run, "cvat", tmp_path / "out")
    same(readers.cvat(tmp_path / "out" / "annotations.zip"), made.background())
    assert written.exported.counts == {"photos": 5, "regions": 8}
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels[0] == {"name": "cat", "color": "#800000", "attributes": []}
    assert noted(written, '"Segmentation mask 1.1", annotations.zip')


def test_label_studio(made: Made, tmp_path: Path) -> None:
    written = export(made.run, "label-studio", tmp_path / "out")
    found = readers.label_studio(tmp_path / "out")
    same(found, made.background())
    task, *_ = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert task["data"]["image"] == "/data/local-files/?d=photos/a/1.jpg"
    assert task["predictions"][0]["result"][-1]["value"] == {"choices": ["cat", "dog & cow"]}
    above = tmp_path.resolve()
    assert noted(written, f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={above}, add {above / 'photos'} as")
    export(made.run, "label-studio", tmp_path / "served", url="https://photos.example.org/x y/")
    task, *_ = json.loads((tmp_path / "served" / "tasks.json").read_text())
    assert task["data"]["image"] == "https://photos.example.org/x y/a/1.jpg"


def test_yolo(made: Made, tmp_path: Path) -> None:
    written = export(made.run, "yolo", tmp_path / "out")
    same(readers.yolo(tmp_path / "out"), made.background(), flat=True)
    assert written.exported.counts["bridged holes"] > 2
    assert noted(written, "YOLO knows no holes")
    content = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert content["names"] == dict(enumerate(CLASSES.names))
    shares = [float(v) for v in (tmp_path / "out/labels/train/noise.txt").read_text().split() if "." in v]
    assert 0 <= min(shares) <= max(shares) <= 1


@pytest.mark.parametrize("to", ["coco", "png", "cvat", "label-studio", "yolo", "voc"])
def test_predictions_of_new_photos(predicted: Made, tmp_path: Path, to: str) -> None:
    export(predicted.run, to, tmp_path / "export")
    folder = tmp_path / "export"
    read = {
        "coco": lambda: readers.coco(folder),
        "png": lambda: readers.palette(folder, "masks"),
        "voc": lambda: readers.palette(folder),
        "cvat": lambda: readers.cvat(folder / "annotations.zip"),
        "label-studio": lambda: readers.label_studio(folder),
        "yolo": lambda: readers.yolo(folder),
    }
    same(read[to](), predicted.labels, flat=to in ("voc", "yolo"))
