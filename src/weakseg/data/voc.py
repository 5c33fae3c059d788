"""Data source ``voc:PATH``: the folders of PASCAL VOC."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.labels import check_tags, classes_of_tags, guessed_values, is_voc, read_classes
from weakseg.data.paths import read_text
from weakseg.data.sample import Classes, Sample, Source
from weakseg.data.voctags import FoundTags, find_tags, image_id
from weakseg.errors import WeaksegError

IMAGES = "JPEGImages"
MASKS = ("SegmentationClassAug", "SegmentationClass")
LISTS = "ImageSets/Segmentation"


@dataclass(frozen=True)
class _List:
    """A split file: the ids that exist, how many lines it has, and what is wrong with it."""

    path: Path
    ids: list[str]
    lines: int
    missing: dict[str, str]
    warnings: list[str]


def open_voc(path: str | Path) -> Source:
    """Open a folder laid out as PASCAL VOC.

    Images are in JPEGImages, masks in SegmentationClassAug or else SegmentationClass, splits in
    ImageSets/Segmentation/SPLIT.txt: an id a line, or "/JPEGImages/ID.jpg /.../ID.png". Tags:
    see ``weakseg.data.voctags``. Classes: those of classes.txt, else those of the tags; where
    all are of VOC they have VOC's order and mask values.

    Args:
        path: the folder that holds JPEGImages.

    Raises:
        WeaksegError: the folder is not laid out so, or an image has a tag that classes.txt
            does not list.
    """
    root = Path(path).expanduser()
    images = _index(_folder(root, IMAGES), (".jpg", ".jpeg", ".png"))
    masks = next((_index(root / name, (".png",)) for name in MASKS if (root / name).is_dir()), {})
    files = sorted(file for file in _folder(root, LISTS).glob("*.txt") if not file.name.startswith("."))
    if not files:
        raise WeaksegError(f"{root / LISTS}: no split; write the ids of the images to train.txt, one a line")
    lists = [_read_list(file, images, root / IMAGES) for file in files]
    ids = list(dict.fromkeys(name for each in lists for name in each.ids))
    listed = root / "classes.txt"
    known = read_classes(listed, voc_values=True) if listed.is_file() else None
    found = find_tags(root, ids, masks, known)
    classes = _classes(found, known, listed)
    samples = {
        name: Sample(name, images[name], found.images[name].tags, masks.get(name))
        for name in ids
        if name in found.images
    }
    missing = {name: problem for each in reversed(lists) for name, problem in each.missing.items()}
    warnings = [warning for each in lists for warning in each.warnings] + found.warnings
    if known is None and masks and not is_voc(classes.names):
        warnings.append(guessed_values(classes, listed))
    splits = {each.path.stem: [samples[name] for name in each.ids if name in samples] for each in lists}
    empty = {each.path.stem: _why_empty(each, found) for each in lists if not splits[each.path.stem]}
    return Source(f"voc:{path}", classes, splits, (*missing.values(), *found.problems), tuple(warnings), empty)


def _folder(root: Path, name: str) -> Path:
    """A folder that must be there. Raises WeaksegError, pointing at the VOC folder if it is further down."""
    if (root / name).is_dir():
        return root / name
    inner = sorted(found.parent for depth in ("*", "*/*") for found in root.glob(f"{depth}/{IMAGES}"))
    hint = f"did you mean voc:{inner[0]}?" if inner else f"voc:PATH wants {IMAGES} and {LISTS} in PATH"
    raise WeaksegError(f"{root / name}: no such folder; {hint}")


def _index(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files by name without suffix; where two share it, the earlier suffix counts."""
    found: dict[str, tuple[int, Path]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix.lower() in suffixes and not stem.startswith("."):
                rank = suffixes.index(suffix.lower())
                found[stem] = min(found.get(stem, (rank, Path(entry.path))), (rank, Path(entry.path)))
    return {stem: path for stem, (_, path) in found.items()}


def _read_list(path: Path, images: Container[str], folder: Path) -> _List:
    """Read a split file; lines whose image is missing are told by name."""
    ids: dict[str, None] = {}
    missing: dict[str, str] = {}
    lines = repeats = 0
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        lines += 1
        name = _listed_id(text, images)
        if name not in images:
            missing[name] = f"{folder / name}: no such image ({path.name} line {number})"
        elif name in ids:
            repeats += 1
        else:
            ids[name] = None
    warnings = [f"{path}: {repeats} lines repeat an image, each is used once"] if repeats else []
    return _List(path, list(ids), lines, missing, warnings)


def _listed_id(text: str, images: Container[str]) -> str:
    """The id on a line of a split file: bare, or the first of two paths."""
    if text in images:
        return text
    first, *rest = text.split()
    two_columns = len(rest) == 1 and image_id(first) == image_id(rest[0])
    return image_id(first) if two_columns or not rest else text


def _classes(found: FoundTags, known: Classes | None, listed: Path) -> Classes:
    """The classes of classes.txt, which every tag must be one of, or else those of the tags."""
    if known is None:
        tags = (tag for tagging in found.images.values() for tag in tagging.tags)
        return classes_of_tags(tags, listed.parent, voc_values=True)
    for tagging in found.images.values():
        check_tags(tagging.tags, known, tagging.where, listed)
    return known


def _why_empty(each: _List, found: FoundTags) -> str:
    if not each.lines:
        return f"{each.path} lists no image"
    if not each.ids:
        return f"none of the {each.lines} images of {each.path} is in {IMAGES}; first: {next(iter(each.missing))}"
    return f"none of the images of {each.path} has tags; {found.problems[0]}"
