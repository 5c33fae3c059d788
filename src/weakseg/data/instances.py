"""Instance masks on disk: one JSON file in COCO's format, masks as compressed run lengths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as run_lengths
from torch import Tensor

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.files import read_json, replacing


class Instance(NamedTuple):
    """One object.

    Attributes:
        label: its class, c + 1 for class c.
        score: in [0, 1]; 0 for segments that are too small.
        mask: bool (H, W).
    """

    label: int
    score: float
    mask: Tensor


@dataclass(frozen=True)
class PhotoInstances:
    """The instances of one photo.

    Attributes:
        id: of the sample.
        file_name: of the photo, as other tools look for it.
        size: (H, W).
        instances: with masks of that size; may be none.
    """

    id: str
    file_name: str
    size: tuple[int, int]
    instances: tuple[Instance, ...]


def save_instances(path: Path, photos: Iterable[PhotoInstances], classes: Classes) -> None:
    """Write photos and their instances as a COCO data set; atomic, equal instances give equal bytes.

    Photos are numbered from 1 and keep their sample's id as ``sample_id``; a category's id is its value in mask files.
    Every annotation has a ``score``, so the list of annotations is also what ``COCO.loadRes`` takes.

    Example:
        One photo's annotation:

        {"id": 1, "image_id": 1, "category_id": 8, "segmentation": {"size": [375, 500], "counts": "Zk`2..."},
         "bbox": [102, 33, 250, 301], "area": 48123, "iscrowd": 0, "score": 0.83}
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, photo in enumerate(photos, start=1):
        height, width = photo.size
        about = {"id": number, "file_name": photo.file_name, "sample_id": photo.id}
        images.append(about | {"height": height, "width": width})
        for instance in photo.instances:
            identity = {"id": len(annotations) + 1, "image_id": number}
            identity |= {"category_id": classes.values[instance.label - 1]}
            annotations.append(identity | coco_mask(instance.mask.cpu().numpy()) | {"score": instance.score})
    categories = [{"id": value, "name": name} for value, name in zip(classes.values, classes.names, strict=True)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def load_instances(path: Path, classes: Classes) -> list[PhotoInstances]:
    """Read what `save_instances` wrote.

    Raises:
        WeaksegError: the file is missing, damaged, of another format, or of classes that ``classes`` does not have.
    """
    content = read_json(path)
    if content is None:
        raise WeaksegError(f"{path}: no such file")
    try:
        return [_photo(image, content["annotations"], classes) for image in content["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise WeaksegError(f"{path}: no instances of these classes ({error!r}); have them made again") from error


def _photo(image: dict[str, Any], annotations: Sequence[dict[str, Any]], classes: Classes) -> PhotoInstances:
    own = [entry for entry in annotations if entry["image_id"] == image["id"]]
    instances = tuple(
        Instance(
            classes.values.index(entry["category_id"]) + 1,
            entry["score"],
            torch.from_numpy(run_lengths.decode(entry["segmentation"]).astype(bool)),
        )
        for entry in own
    )
    return PhotoInstances(image["sample_id"], image["file_name"], (image["height"], image["width"]), instances)


def coco_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask, bool (H, W), as COCO's annotations have it: compressed run lengths, box (x, y, width, height), area.

    ``iscrowd`` is 0: run lengths keep holes, which outlines do not, and pycocotools reads either.
    """
    runs = run_lengths.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "segmentation": {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode("ascii")},
        "bbox": run_lengths.toBbox(runs).tolist(),
        "area": int(run_lengths.area(runs)),
        "iscrowd": 0,
    }
