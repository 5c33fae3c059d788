"""Data source ``coco:FILE.json``: the categories of COCO's JSON as tags of whole images."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from weakseg.data.labels import read_classes
from weakseg.data.paths import read_text, unique_ids
from weakseg.data.sample import Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.errors import WeaksegError, one_of

SPLIT = "train"
_SHOWN = 3


def open_coco(options: str) -> Source:
    """Open "FILE.json" or "FILE.json,val=OTHER.json,images=FOLDER".

    Every image gets the categories of its annotations as tags; boxes and outlines are not read. The images of FILE
    are the split "train"; further files are splits of the name before the "=". Images are looked for in FOLDER, or
    else beside the file and in the folders around it. A sample's id is its file name without suffix. Categories that
    no image has are classes too. A ``classes.txt`` beside the file gives classes and mask values.

    Raises:
        WeaksegError: no such file or folder, or it is not COCO's JSON.
    """
    file, *rest = options.split(",")
    files, folder = {SPLIT: Path(file).expanduser()}, None
    for option in rest:
        name, separator, value = option.partition("=")
        if not (name and separator and value):
            raise one_of("option of coco", option, ("images=FOLDER", "val=FILE.json"))
        if name == "images":
            folder = Path(value).expanduser()
        else:
            files[name] = Path(value).expanduser()
    if folder is not None and not folder.is_dir():
        raise WeaksegError(f"{folder}: no such folder; images=FOLDER must hold the images of {file}")
    first = files[SPLIT]
    splits: dict[str, list[Sample]] = {}
    problems: list[str] = []
    warnings: list[str] = []
    names: list[str] = []
    for split, path in files.items():
        tree = _tree(path)
        samples, missing = _samples(path, tree, folder)
        splits[split] = samples
        problems += missing
        names += [_text(entry, "name", path) for entry in tree["categories"]]
        outlined = sum(bool(entry.get("segmentation")) for entry in tree["annotations"])
        if outlined:
            warnings.append(f"{path.name}: {outlined} annotations have outlines, which are not read: tags alone count")
    listed = first.with_name("classes.txt")
    known = read_classes(listed, tags=set(names)) if listed.is_file() else None
    empty = {split: problems[0] if problems else "it lists no image" for split, found in splits.items() if not found}
    return assemble(
        Listing(
            f"coco:{options}",
            first,
            splits,
            listed,
            known,
            problems=problems,
            warnings=warnings,
            empty=empty,
            names=[] if known else names,
        )
    )


def _tree(path: Path) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise WeaksegError(f"{path} line {error.lineno}: not valid JSON ({error.msg})") from None
    lists = ("images", "annotations", "categories")
    found = [tree.get(name) for name in lists] if isinstance(tree, dict) else [None]
    if not all(isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries) for entries in found):
        raise WeaksegError(f"{path}: not COCO's JSON; it must hold the lists {', '.join(lists)}")
    return tree


def _samples(path: Path, tree: Mapping[str, Any], folder: Path | None) -> tuple[list[Sample], list[str]]:
    """The samples of a file, and a line per image that is missing or entry that names nothing."""
    names = {entry.get("id"): _text(entry, "name", path) for entry in tree["categories"]}
    tags: dict[object, dict[str, None]] = {entry.get("id"): {} for entry in tree["images"]}
    lost: list[str] = []
    for entry in tree["annotations"]:
        image, category = entry.get("image_id"), entry.get("category_id")
        if image in tags and category in names:
            tags[image][names[category]] = None
        else:
            lost.append(f"image {image}, category {category}")
    problems = []
    if lost:
        problems.append(f"{path}: {len(lost)} annotations are of no image or category of the file (first: {lost[0]})")
    entries = [(entry.get("id"), _text(entry, "file_name", path)) for entry in tree["images"]]
    root = folder or _images_folder(path, [name for _, name in entries])
    ids = unique_ids(Path(name) for _, name in entries)
    samples = []
    missing = []
    for (number, name), sample_id in zip(entries, ids, strict=True):
        if os.path.isfile(root / name):
            samples.append(Sample(sample_id, root / name, tuple(tags[number])))
        else:
            missing.append(name)
    if missing:
        shown = ", ".join(missing[:_SHOWN])
        problems.append(f"{root}: {len(missing)} images of {path.name} are not there ({shown}); try images=FOLDER")
    return samples, problems


def _images_folder(path: Path, names: Iterable[str]) -> Path:
    """The folder around a JSON file that holds most of the named images; the nearest of several."""
    parent = path.resolve().parent
    around = [parent, parent.parent]
    around += [entry for folder in (parent, parent.parent) for entry in sorted(folder.iterdir()) if entry.is_dir()]
    some = list(names)[:64]
    return max(around, key=lambda folder: sum(os.path.isfile(folder / name) for name in some))


def _text(entry: Mapping[str, Any], key: str, path: Path) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise WeaksegError(f"{path}: an entry has no {key!r}; not COCO's JSON")
    return value.strip()
