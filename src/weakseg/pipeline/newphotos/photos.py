"""The photos that ``weakseg predict`` is given, and the ids that their masks are named by."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from weakseg.data.paths import IMAGE_SUFFIXES, list_images, unique_ids
from weakseg.data.sample import Sample
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError


def given_photos(paths: Sequence[Path]) -> list[Sample]:
    """Image files among files and folders, each once, without tags.

    The id of a photo is its path below the folder that was given, without suffix; that of a file its name. Two
    photos that would share an id get different ones, as those of a data source do.

    Raises:
        WeaksegError: a path is missing, or there is no image.
    """
    found: dict[str, tuple[Path, PurePath]] = {}
    for path in paths:
        if not path.exists():
            raise WeaksegError(f"{path}: no such file or folder; give images or folders of images")
        files = list_images(path) if path.is_dir() else [path]
        for file in files:
            found.setdefault(os.path.abspath(file), (file, file.relative_to(path if path.is_dir() else path.parent)))
    if not found:
        known = ", ".join(IMAGE_SUFFIXES)
        raise WeaksegError(f"{', '.join(map(str, paths))}: no images there; known are {known}")
    ids = unique_ids(below for _, below in found.values())
    return [Sample(name, file, ()) for name, (file, _) in zip(ids, found.values(), strict=True)]


def source_photos(spec: str, split: str | None = None) -> tuple[list[Sample], list[str]]:
    """The photos of a data source with its ids, without masks: one split, or all of them, each photo once.

    Returns:
        the photos, and one line per file that the source misses.

    Raises:
        WeaksegError: no such source or split, or no photo in it.
    """
    source = open_source(spec)
    splits = [name for name, samples in source.splits.items() if len(samples)] if split is None else [split]
    found: dict[str, Sample] = {}
    for name in splits:
        for sample in source.image_set(name).samples:
            found.setdefault(sample.id, sample)
    if not found:
        raise WeaksegError(f"{spec}: no photo in any split; `weakseg data {spec}` lists what is missing")
    return list(found.values()), list(source.problems)
