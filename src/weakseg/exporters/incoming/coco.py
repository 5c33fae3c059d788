"""Masks and tags of COCO's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weakseg.data.sample import Array, Classes
from weakseg.data.sources.coco.file import read_coco, text_of
from weakseg.data.sources.coco.masks import decoded
from weakseg.errors import WeaksegError
from weakseg.exporters.incoming.returned import Returned, Returns, label_of, paint


def read_coco_masks(path: Path) -> Returns:
    """Read outlines, run lengths (compressed or not), or where the file has none of these the categories as tags.

    An image without annotations is all background.

    Raises:
        WeaksegError: it is not COCO's JSON.
    """
    tree = read_coco(path)
    names = {entry.get("id"): text_of(entry, "name", path) for entry in tree["categories"]}
    drawn = any(entry.get("segmentation") for entry in tree["annotations"])
    photos = []
    for image in tree["images"]:
        file_name = text_of(image, "file_name", path)
        where = f"{path}: {file_name}"
        own = [entry for entry in tree["annotations"] if entry.get("image_id") == image.get("id")]
        strange = [entry.get("category_id") for entry in own if entry.get("category_id") not in names]
        if strange:
            raise WeaksegError(f"{where}: category {strange[0]} is not in the file's categories")
        regions = [(names[entry["category_id"]], entry.get("segmentation")) for entry in own]
        known = (str(image["sample_id"]),) if "sample_id" in image else ()
        if drawn:
            draw = partial(_drawn, where=where, size=_size(image, where), regions=regions)
            photos.append(Returned(where, (*known, file_name), draw))
        else:
            photos.append(Returned(where, (*known, file_name), tags=tuple(dict.fromkeys(name for name, _ in regions))))
    return Returns("COCO's JSON" + ("" if drawn else " (tags of whole images)"), photos)


def _size(image: Mapping[str, Any], where: str) -> tuple[int, int]:
    height, width = image.get("height"), image.get("width")
    if not (isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0):
        raise WeaksegError(f"{where}: the image has no width and height")
    return height, width


def _drawn(classes: Classes, where: str, size: tuple[int, int], regions: Sequence[tuple[str, object]]) -> Array:
    labels = np.zeros(size, np.uint8)
    for name, segmentation in regions:
        label = label_of(name, classes, where)
        if segmentation:
            paint(labels, decoded(segmentation, size, where), label, where)
    return labels
