"""Exports as their own world reads them: labels by photo id, 0 background and c + 1 class c of `NAMES`.

COCO by pycocotools, YOLO by supervision, Label Studio's run lengths by label-studio-brush-rle-rs. CVAT reads its zip by
datumaro, which pins older versions than those in use here; `cvat` follows CVAT's page on the format to the letter.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import supervision
from label_studio_brush_rle_rs import decode_rle
from PIL import Image
from pycocotools.coco import COCO

from weakseg.data.sample import Array

NAMES = ("cat", "traffic light", "dog & cow")
VALUES = (8, 3, 12)


def coco(folder: Path) -> dict[str, Array]:
    with contextlib.redirect_stdout(io.StringIO()):
        read = COCO(folder / "annotations.json")
    label = {entry["id"]: NAMES.index(entry["name"]) + 1 for entry in read.cats.values()}
    found = {}
    for image in read.imgs.values():
        labels = np.zeros((image["height"], image["width"]), np.uint8)
        for entry in read.imgToAnns[image["id"]]:
            mask = read.annToMask(entry).astype(bool)
            assert entry["iscrowd"] == 0
            assert entry["area"] == mask.sum()
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            sides = (columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
            assert entry["bbox"] == [columns[0], rows[0], *sides]
            labels[mask] = label[entry["category_id"]]
        found[image["sample_id"]] = labels
    return found


def palette(folder: Path, pattern: str = "SegmentationClass") -> dict[str, Array]:
    return {
        path.relative_to(folder / pattern).as_posix().removesuffix(".png"): from_values(path)
        for path in (folder / pattern).rglob("*.png")
    }


def from_values(path: Path) -> Array:
    with Image.open(path) as picture:
        values = np.array(picture)
    table = np.full(256, 77, np.uint8)
    table[[0, 255, *VALUES]] = [0, 255, 1, 2, 3]
    return table[values]


def cvat(file: Path) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        lines = [line for line in archive.read("labelmap.txt").decode().splitlines() if not line.startswith("#")]
        entries = [re.fullmatch(r"([^:]+):(\d+),(\d+),(\d+):([^:]*):([^:]*)", line) for line in lines]
        colours = {tuple(map(int, entry.group(2, 3, 4))): entry[1] for entry in entries if entry}
        assert len(colours) == len(lines)
        assert colours[(0, 0, 0)] == "background"
        (listed,) = [name for name in archive.namelist() if name.startswith("ImageSets/Segmentation/")]
        assert listed == "ImageSets/Segmentation/default.txt"
        found = {}
        for name in archive.read(listed).decode().splitlines():
            pixels = picture(archive, f"SegmentationClass/{name}.png")
            objects = picture(archive, f"SegmentationObject/{name}.png")
            labels = np.full(pixels.shape[:2], 77, np.uint8)
            for colour, label in colours.items():
                labels[(pixels == colour).all(axis=2)] = (("background", *NAMES)).index(label)
            assert ((objects == 0).all(axis=2) == (labels == 0)).all()
            # An object is of one class.
            pairs = np.unique(np.concatenate([objects.reshape(-1, 3), labels.reshape(-1, 1)], axis=1), axis=0)
            assert len(np.unique(pairs[:, :3], axis=0)) == len(pairs)
            found[name] = labels
        return found


def cvat_objects(file: Path, name: str) -> int:
    """How many objects a photo has."""
    with zipfile.ZipFile(file) as archive:
        objects = picture(archive, f"SegmentationObject/{name}.png")
    return len(np.unique(objects.reshape(-1, 3), axis=0)) - 1


def picture(archive: zipfile.ZipFile, name: str) -> Array:
    with Image.open(io.BytesIO(archive.read(name))) as found:
        assert found.mode == "RGB"
        return np.array(found)


def label_studio(folder: Path) -> dict[str, Array]:
    tree = ElementTree.parse(folder / "config.xml")
    brush, choices, image = tree.find("BrushLabels"), tree.find("Choices"), tree.find("Image")
    assert [entry.get("value") for entry in brush] == [entry.get("value") for entry in choices] == list(NAMES)
    assert image.get("value") == "$image"
    found = {}
    for task in json.loads((folder / "tasks.json").read_text(encoding="utf-8")):
        (prediction,) = task["predictions"]
        labels = None
        for result in prediction["result"]:
            assert result["to_name"] == image.get("name")
            if result["type"] == "choices":
                assert result["from_name"] == choices.get("name")
                continue
            assert result["from_name"] == brush.get("name")
            assert (result["type"], result["value"]["format"], result["image_rotation"]) == ("brushlabels", "rle", 0)
            size = result["original_height"], result["original_width"]
            labels = np.zeros(size, np.uint8) if labels is None else labels
            (name,) = result["value"]["brushlabels"]
            opacity = np.reshape(decode_rle(result["value"]["rle"], False), (*size, 4))[..., 3]
            assert set(np.unique(opacity)) <= {0, 255}
            labels[opacity > 0] = NAMES.index(name) + 1
        found[task["data"]["weakseg_id"]] = labels
    return found


def yolo(folder: Path, split: str = "train") -> dict[str, Array]:
    read = supervision.DetectionDataset.from_yolo(
        str(folder / "images" / split), str(folder / "labels" / split), str(folder / "data.yaml"), force_masks=True
    )
    assert tuple(read.classes) == NAMES
    found = {}
    for path, image, detections in read:
        labels = np.zeros(image.shape[:2], np.uint8)
        for mask, number in zip(detections.mask, detections.class_id, strict=True) if len(detections) else ():
            assert not labels[mask].any(), "polygons overlap"
            labels[mask] = number + 1
        found[Path(path).stem] = labels
    return found
