"""Data source ``coco:FILE.json``: the categories of COCO's JSON as tags of whole images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weakseg.data.paths import read_text
from weakseg.data.sample import Source
from weakseg.data.sources.annotations import Annotations, Tagged, open_annotations
from weakseg.data.sources.coco.index import read_index
from weakseg.data.sources.coco.tree import open_coco_tree
from weakseg.data.sources.options import split_options
from weakseg.errors import WeaksegError


def open_coco(options: str) -> Source:
    """Open "FILE.json" or "FILE.json,val=OTHER.json,images=FOLDER"; see `open_annotations`. Folders: `open_coco_tree`.

    Every image gets the categories of its annotations as tags; boxes and outlines are not read, and annotations need
    none. Categories that no image has are classes too.

    Raises:
        WeaksegError: no such file or folder, or it is not COCO's JSON.
    """
    path, _ = split_options("coco", options, ("images=FOLDER", "val=FILE.json"))
    if path.is_dir():
        return open_coco_tree(options)
    return open_annotations("coco", options, _read)


def _read(path: Path) -> Annotations:
    index = read_index(path)
    names = [category.name.strip() for category in index.categories]
    images = [
        Tagged((image.file_name,), tuple(dict.fromkeys(names[kind] for kind in index.kinds[own].tolist())))
        for image, own in zip(index.images, index.by_image(), strict=True)
    ]
    outlined = int((index.outlines[:, 1] > 0).sum())
    warnings = []
    if outlined:
        warnings.append(f"{path.name}: {outlined} annotations have outlines, which are not read: tags alone count")
    return Annotations(images, names, index.lost_lines(path), warnings)


def read_coco(path: Path) -> dict[str, Any]:
    """COCO's JSON, with the lists images, annotations and categories. Raises WeaksegError if it is none."""
    try:
        tree: dict[str, Any] = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise WeaksegError(f"{path} line {error.lineno}: not valid JSON ({error.msg})") from None
    lists = ("images", "annotations", "categories")
    found = [tree.get(name) for name in lists] if isinstance(tree, dict) else [None]
    if not all(isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) for entries in found):
        raise WeaksegError(f"{path}: not COCO's JSON; it must hold the lists {', '.join(lists)}")
    return tree


def text_of(entry: Mapping[str, Any], key: str, path: Path) -> str:
    """A text of an entry that must have it. Raises WeaksegError without it."""
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise WeaksegError(f"{path}: an entry has no {key!r}; not COCO's JSON")
    return value.strip()
