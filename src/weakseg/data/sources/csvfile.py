"""Data source ``csv:PATH``: a table of images and tags."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from weakseg.data.labels import possible_names, read_classes
from weakseg.data.paths import unique_ids
from weakseg.data.sample import Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.data.sources.table import TagRow, read_tag_table

DEFAULT_SPLIT = "train"


@dataclass(frozen=True)
class _Entry:
    """One image of one split; paths are relative to the table's folder."""

    line: int
    split: str
    image: PurePath
    mask: PurePath | None
    tags: tuple[str, ...]


def open_csv(path: str | Path) -> Source:
    """Open a table with the columns image, tags and optionally mask, split; see ``weakseg.data.sources.table``.

    Paths are relative to the table's folder; a sample's id is its image path without suffix.
    Without a split column everything is in "train". A ``classes.txt`` beside the table gives
    classes and mask values; without it the classes are the sorted tags, with values 1..n, or VOC's
    where all are of VOC and the masks hold VOC's. An image listed twice in a split gets the tags of
    both rows. A mask that is missing is a problem, but its image stays.

    Args:
        path: the table.

    Raises:
        WeaksegError: the file cannot be read as such a table, or names a tag that
            ``classes.txt`` does not.
    """
    spec, path = f"csv:{path}", Path(path).expanduser()
    listed = path.with_name("classes.txt")
    table = read_tag_table(path, possible_names(listed))
    rows = [_entry(row, path.parent) for row in table.rows]
    names = [tag for entry in rows for tag in entry.tags]
    known = read_classes(listed, tags=set(names)) if listed.is_file() else None
    entries, repeats = _merge(rows, path.name)
    ids = _ids(entries)
    splits, empty, missing = _splits(entries, ids, path)
    # Of rows that repeat an image, the last one: it is what added the tag that a message is about.
    places = {ids[entry.image]: f"{path} line {entry.line}: {entry.image}" for entry in rows}
    return assemble(
        Listing(
            spec,
            path,
            splits,
            listed,
            known,
            places=places,
            problems=[*table.problems, *missing],
            warnings=[*table.warnings, *repeats],
            empty=empty,
            names=names,
        )
    )


def _entry(row: TagRow, folder: Path) -> _Entry:
    return _Entry(
        line=row.line,
        split=row.split or DEFAULT_SPLIT,
        image=_relative(folder, row.image),
        mask=_relative(folder, row.mask) if row.mask else None,
        tags=row.tags,
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


def _ids(entries: Sequence[_Entry]) -> dict[PurePath, str]:
    images = list(dict.fromkeys(entry.image for entry in entries))
    return dict(zip(images, unique_ids(images), strict=True))


def _splits(
    entries: Sequence[_Entry], ids: dict[PurePath, str], path: Path
) -> tuple[dict[str, list[Sample]], dict[str, str], list[str]]:
    """Samples per split, the reason for every empty one, and a line per missing file."""
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
