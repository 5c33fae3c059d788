"""Data source ``csv:PATH.csv``: a table of images and tags."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from weakseg.data.labels import check_tags, classes_of_tags, guessed_values, read_classes
from weakseg.data.paths import unique_ids
from weakseg.data.sample import Sample, Source
from weakseg.data.table import Row, read_table, split_tags

DEFAULT_SPLIT = "train"


@dataclass(frozen=True)
class _Entry:
    """One image of one split; paths are relative to the CSV's folder."""

    line: int
    split: str
    image: PurePath
    mask: PurePath | None
    tags: tuple[str, ...]


def open_csv(path: str | Path) -> Source:
    """Open a CSV with the columns image, tags and optionally mask, split.

    Paths are relative to the CSV's folder; a sample's id is its image path without suffix.
    Without a split column everything is in "train". A ``classes.txt`` beside the CSV gives
    classes and mask values; without it the classes are the sorted tags, with values 1..n.
    An image listed twice in a split gets the tags of both rows. A mask that is missing is a
    problem, but its image stays.

    Args:
        path: the CSV file.

    Raises:
        WeaksegError: the file cannot be read as such a table, or names a tag that
            ``classes.txt`` does not.
    """
    spec, path = f"csv:{path}", Path(path).expanduser()
    rows, problems = read_table(path, ("image", "tags"))
    listed = path.with_name("classes.txt")
    known = read_classes(listed) if listed.is_file() else None
    rows_as_entries = [_entry(row, path.parent, known.names if known else ()) for row in rows]
    if known is not None:
        for entry in rows_as_entries:
            check_tags(entry.tags, known, f"{path} line {entry.line}: {entry.image}", listed)
    classes = known or classes_of_tags((tag for entry in rows_as_entries for tag in entry.tags), path)
    entries, warnings = _merge(rows_as_entries, path.name)
    if known is None and any(entry.mask for entry in entries):
        warnings.append(guessed_values(classes, listed))
    splits, empty, missing = _splits(entries, path)
    return Source(spec, classes, splits, (*problems, *missing), tuple(warnings), empty)


def _entry(row: Row, folder: Path, names: Collection[str]) -> _Entry:
    mask = row.cells.get("mask")
    return _Entry(
        line=row.line,
        split=row.cells.get("split") or DEFAULT_SPLIT,
        image=_relative(folder, row.cells["image"]),
        mask=_relative(folder, mask) if mask else None,
        tags=split_tags(row.cells["tags"], names),
    )


def _relative(folder: Path, text: str) -> PurePath:
    """A path of the table as seen from its folder; backslashes of other systems are understood."""
    if "\\" in text and not os.path.exists(folder / text):
        text = text.replace("\\", "/")
    path = PurePath(text)
    plain = not path.is_absolute() and ".." not in path.parts
    return path if plain else PurePath(os.path.relpath(folder / path, folder))


def _merge(entries: Sequence[_Entry], name: str) -> tuple[list[_Entry], list[str]]:
    """Unite the rows that repeat an image of their split, with a warning that names the first."""
    merged: dict[tuple[str, PurePath], _Entry] = {}
    repeats: list[str] = []
    for entry in entries:
        first = merged.setdefault((entry.split, entry.image), entry)
        if first is not entry:
            repeats.append(f"line {entry.line}: {entry.image}, first on line {first.line}")
            tags = tuple(dict.fromkeys(first.tags + entry.tags))
            merged[entry.split, entry.image] = replace(first, tags=tags, mask=first.mask or entry.mask)
    warnings = [f"{name}: {len(repeats)} rows repeat an image, tags united ({repeats[0]})"] if repeats else []
    return list(merged.values()), warnings


def _splits(entries: Sequence[_Entry], path: Path) -> tuple[dict[str, list[Sample]], dict[str, str], list[str]]:
    """Samples per split, the reason for every empty one, and a line per missing file."""
    images = list(dict.fromkeys(entry.image for entry in entries))
    ids = dict(zip(images, unique_ids(images), strict=True))
    splits: dict[str, list[Sample]] = {entry.split: [] for entry in entries} or {DEFAULT_SPLIT: []}
    problems: dict[str, list[str]] = {split: [] for split in splits}
    for entry in entries:
        image, mask = path.parent / entry.image, path.parent / entry.mask if entry.mask else None
        where = f"({path.name} line {entry.line})"
        if not os.path.isfile(image):
            problems[entry.split].append(f"{image}: no such image {where}")
            continue
        if mask is not None and not os.path.isfile(mask):
            problems[entry.split].append(f"{mask}: no such mask {where}; its image is kept without one")
            mask = None
        splits[entry.split].append(Sample(ids[entry.image], image, entry.tags, mask))
    empty = {
        split: f"none of its images exists; {problems[split][0]}" if problems[split] else f"{path} lists no image"
        for split, samples in splits.items()
        if not samples
    }
    return splits, empty, [problem for faults in problems.values() for problem in faults]
