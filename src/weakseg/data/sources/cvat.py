"""Data source ``cvat:FILE``: the labels of CVAT's XML for images, or of Datumaro's JSON, as tags of whole images."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.data.paths import read_text
from weakseg.data.sample import Source
from weakseg.data.sources.annotations import Annotations, Tagged, open_annotations
from weakseg.data.sources.voctags import plain_xml
from weakseg.errors import WeaksegError

INSIDE = "annotations.xml"
SHAPES = ("mask", "polygon", "box", "ellipse", "polyline", "points", "cuboid", "skeleton")


@dataclass(frozen=True)
class CvatImage:
    """An image of CVAT's XML.

    Attributes:
        name: its path as CVAT knows it.
        size: (H, W).
        tags: labels of the whole image.
        shapes: elements of its regions, in their order.
    """

    name: str
    size: tuple[int, int]
    tags: tuple[str, ...]
    shapes: tuple[ElementTree.Element, ...]


def open_cvat(options: str) -> Source:
    """Open "FILE.xml" or "FILE.xml,val=OTHER.xml,images=FOLDER"; see `open_annotations`.

    FILE is "CVAT for images 1.1", the XML or its zip, or "Datumaro 1.0", the JSON of its folder annotations. Every
    image gets its tags and the labels of its shapes as tags. Labels that no image has are classes too.

    Raises:
        WeaksegError: no such file or folder, or it is neither.
    """
    return open_annotations("cvat", options, _read)


def _read(path: Path) -> Annotations:
    if path.suffix.lower() == ".json":
        return _read_datumaro(path)
    labels, images = read_cvat(path)
    shapes = sum(len(image.shapes) for image in images)
    tagged = [
        Tagged((image.name,), tuple(dict.fromkeys((*image.tags, *(s.get("label", "") for s in image.shapes)))))
        for image in images
    ]
    return Annotations(tagged, labels, warnings=_not_read(path, shapes))


def read_cvat(path: Path) -> tuple[list[str], list[CvatImage]]:
    """Labels and images of "CVAT for images 1.1"; see https://docs.cvat.ai/docs/manual/advanced/xml_format.

    Args:
        path: annotations.xml, or the zip that holds it.

    Raises:
        WeaksegError: it is no such file, or one of a video.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                tree = plain_xml(archive.read(INSIDE).decode("utf-8"))
        else:
            tree = plain_xml(read_text(path))
    except KeyError:
        raise WeaksegError(f'{path}: holds no {INSIDE}; export from CVAT as "CVAT for images 1.1"') from None
    except (ElementTree.ParseError, ValueError) as error:
        raise WeaksegError(f"{path}: not readable as XML ({error})") from None
    if tree.tag != "annotations" or tree.find("track") is not None:
        raise WeaksegError(f'{path}: not CVAT\'s XML for images; export as "CVAT for images 1.1"')
    labels = [node.text.strip() for node in tree.iterfind("meta//labels/label/name") if node.text]
    try:
        return list(dict.fromkeys(labels)), [_image(node) for node in tree.iterfind("image")]
    except (KeyError, ValueError) as error:
        raise WeaksegError(f"{path}: an image without {error}; not CVAT's XML for images") from None


def _image(node: ElementTree.Element) -> CvatImage:
    tags = tuple(dict.fromkeys(tag.attrib["label"] for tag in node.iterfind("tag")))
    shapes = tuple(child for child in node if child.tag in SHAPES)
    if any("label" not in shape.attrib for shape in shapes):
        raise KeyError("label")
    return CvatImage(node.attrib["name"], (int(node.attrib["height"]), int(node.attrib["width"])), tags, shapes)


def _read_datumaro(path: Path) -> Annotations:
    """Datumaro's JSON: categories.label.labels[].name, and items[] with annotations[] of a label_id."""
    try:
        tree: Any = json.loads(read_text(path))
        labels = [str(entry["name"]) for entry in tree["categories"]["label"]["labels"]]
        images = [_item(item, labels) for item in tree["items"]]
        shapes = sum(one.get("type") != "label" for item in tree["items"] for one in item.get("annotations", ()))
    except json.JSONDecodeError as error:
        raise WeaksegError(f"{path} line {error.lineno}: not valid JSON ({error.msg})") from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise WeaksegError(f'{path}: not the JSON of "Datumaro 1.0" ({error!r})') from None
    return Annotations(images, labels, warnings=_not_read(path, shapes))


def _item(item: Mapping[str, Any], labels: list[str]) -> Tagged:
    numbers = [one["label_id"] for one in item.get("annotations", ()) if one.get("label_id") is not None]
    image = item.get("image") or item.get("media") or {}
    name = str(image.get("path") or item["id"])
    return Tagged(tuple(dict.fromkeys((name, Path(name).name))), tuple(dict.fromkeys(labels[n] for n in numbers)))


def _not_read(path: Path, shapes: int) -> tuple[str, ...]:
    return (f"{path.name}: {shapes} shapes are not read: their labels alone count",) if shapes else ()
