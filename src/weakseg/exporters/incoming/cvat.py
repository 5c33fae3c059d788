"""Masks of CVAT's "Segmentation mask 1.1", and masks and tags of its XML for images."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as run_lengths

from weakseg.data.labels import BACKGROUND_NAME
from weakseg.data.sample import Array, Classes
from weakseg.data.sources.cvat import CvatImage, read_cvat
from weakseg.errors import WeaksegError
from weakseg.exporters.incoming.returned import Returned, Returns, label_of, paint

LABEL_MAP, MASKS = "labelmap.txt", "SegmentationClass"
Place = Path | zipfile.Path


def read_cvat_masks(path: Path, root: Place) -> Returns:
    """Read colour masks by the labels of labelmap.txt.

    Args:
        path: the file, for messages.
        root: the folder, or the zip's inside, that holds labelmap.txt.

    Raises:
        WeaksegError: a line of labelmap.txt is none.
    """
    colours = _colours((root / LABEL_MAP).read_text(encoding="utf-8"), f"{path}: {LABEL_MAP}")
    photos = []
    for name, file in _pictures(root / MASKS):
        where = f"{path}: {MASKS}/{name}.png"
        photos.append(Returned(where, (name,), partial(_coloured, where=where, file=file, colours=colours)))
    if not photos:
        raise WeaksegError(f"{path}: holds no mask in {MASKS}")
    return Returns('CVAT\'s "Segmentation mask 1.1"', photos)


def _pictures(folder: Place, below: str = "") -> list[tuple[str, Place]]:
    """The PNG files below a folder with their names, without suffix, in order."""
    if not folder.is_dir():
        return []
    found: list[tuple[str, Place]] = []
    entries: list[Place] = list(folder.iterdir())
    for entry in sorted(entries, key=lambda one: one.name):
        if entry.is_dir():
            found += _pictures(entry, f"{below}{entry.name}/")
        elif entry.name.lower().endswith(".png"):
            found.append((f"{below}{entry.name[:-4]}", entry))
    return found


def _colours(text: str, where: str) -> dict[tuple[int, int, int], str]:
    """The label of each colour, of lines "name:red,green,blue:parts:actions"."""
    found: dict[tuple[int, int, int], str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        try:
            name, colour, *_ = line.rsplit(":", 3)
            red, green, blue = map(int, colour.split(","))
        except ValueError:
            raise WeaksegError(f"{where}: {line!r} is no line of labels, as cat:128,0,0::") from None
        found[red, green, blue] = name
    return found


def _coloured(classes: Classes, where: str, file: Place, colours: Mapping[tuple[int, int, int], str]) -> Array:
    """Labels of a colour mask; black is background whatever its name."""
    try:
        with Image.open(io.BytesIO(file.read_bytes())) as picture:
            pixels = np.array(picture.convert("RGB")).astype(np.int64)
    except Exception as error:  # the decoders raise nearly anything
        raise WeaksegError(f"{where}: cannot be read ({error})") from error
    codes = pixels @ np.array([65536, 256, 1])
    labels = np.zeros(codes.shape, np.uint8)
    for code in np.unique(codes).tolist():
        colour = (code >> 16, code >> 8 & 255, code & 255)
        if colour not in colours and colour != (0, 0, 0):
            raise WeaksegError(f"{where}: the colour {','.join(map(str, colour))} is not in {LABEL_MAP}")
        name = colours.get(colour, BACKGROUND_NAME)
        if name.lower() != BACKGROUND_NAME:
            labels[codes == code] = label_of(name, classes, where)
    return labels


def read_cvat_xml(path: Path) -> Returns:
    """Read masks and polygons, and tags, of "CVAT for images 1.1"; shapes are painted in their order.

    Raises:
        WeaksegError: it is not CVAT's XML for images.
    """
    _, images = read_cvat(path)
    drawn = any(shape.tag in ("mask", "polygon") for image in images for shape in image.shapes)
    tagged = any(image.tags for image in images) or not drawn
    other = sum(shape.tag not in ("mask", "polygon") for image in images for shape in image.shapes)
    photos = [
        Returned(
            f"{path}: {image.name}",
            (image.name,),
            partial(_shapes, where=f"{path}: {image.name}", image=image) if drawn else None,
            image.tags if tagged else None,
        )
        for image in images
    ]
    notes = (f"{other} shapes are neither masks nor polygons and are not read",) if other else ()
    return Returns("CVAT's XML for images", photos, notes)


def _shapes(classes: Classes, where: str, image: CvatImage) -> Array:
    labels = np.zeros(image.size, np.uint8)
    shapes = [shape for shape in image.shapes if shape.tag in ("mask", "polygon")]
    for shape in sorted(shapes, key=lambda one: int(one.get("z_order", "0"))):
        label = label_of(shape.attrib["label"], classes, where)
        try:
            mask = _rle(shape.attrib, image.size) if shape.tag == "mask" else _polygon(shape.attrib, image.size)
        except (KeyError, ValueError, IndexError) as error:
            raise WeaksegError(f"{where}: a {shape.tag} that cannot be read ({error})") from error
        paint(labels, mask, label, where)
    return labels


def _rle(entry: Mapping[str, str], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask as CVAT writes it: lengths of runs in its box, row by row, the first of background."""
    left, top, width, height = (int(float(entry[key])) for key in ("left", "top", "width", "height"))
    runs = [int(length) for length in entry["rle"].split(",")]
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    mask = np.zeros(size, bool)
    if top < 0 or left < 0 or top + height > size[0] or left + width > size[1]:
        raise ValueError("it reaches beyond the photo")
    mask[top : top + height, left : left + width] = inside
    return mask


def _polygon(entry: Mapping[str, str], size: tuple[int, int]) -> NDArray[np.bool_]:
    points = [float(value) for point in entry["points"].split(";") for value in point.split(",")]
    runs: Any = run_lengths.merge(run_lengths.frPyObjects([points], *size))
    return np.asarray(run_lengths.decode(runs)).astype(bool)
