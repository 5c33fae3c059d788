"""Which file of a folder is the mask of which photo, and what its values mean."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from weakseg.data.images import read_mask
from weakseg.data.sample import BACKGROUND, IGNORE, Array, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.predictions import listed_photos, written_classes


def mask_reader(folder: Path, images: ImageSet) -> tuple[Callable[[Sample], Array], list[str]]:
    """How to read the masks of photos from a folder.

    Args:
        folder: of mask PNGs; see ``find_masks`` for their names.
        images: the photos, with the classes that they are scored by.

    Returns:
        reads the mask of a sample, uint8 (H, W), in the values of ``images.classes``, or raises WeaksegError; and
        lines that tell what was made of names and values.

    Raises:
        WeaksegError: see ``find_masks``.
    """
    paths, told = find_masks(folder, images.samples)
    wanted = images.classes
    written = written_classes(folder) or wanted
    wanted_values = dict(zip(wanted.names, wanted.values, strict=True))
    new = {value: wanted_values.get(name) for name, value in zip(written.names, written.values, strict=True)}
    table = np.arange(256, dtype=np.uint8)
    for value, other in new.items():
        table[value] = other or value
    known = {BACKGROUND, IGNORE, *(value for value, other in new.items() if other)}
    names = dict(zip(written.values, written.names, strict=True))

    def read(sample: Sample) -> Array:
        mask = read_mask(paths[sample.id])
        unknown = sorted(set(np.unique(mask).tolist()) - known)
        if unknown:
            named = f"{unknown[0]} ({names[unknown[0]]})" if unknown[0] in names else str(unknown[0])
            values = ", ".join(f"{value} {names[value]}" for value in sorted(known & set(names)))
            raise WeaksegError(
                f"{paths[sample.id]}: value {named} is of no class; values are 0 background, {values}, 255"
            )
        return table[mask]

    moved = [f"{value} {names[value]}" for value, other in new.items() if other not in (None, value)]
    told += [f"mask values are those of the classes.txt beside them: {', '.join(moved)}"] if moved else []
    return read, told


def find_masks(folder: Path, samples: Sequence[Sample]) -> tuple[dict[str, Path], list[str]]:
    """The masks of photos by their ids: ``folder/ID.png``.

    Where no photo has one and all ids begin with the same folders (csv and folders have ids from their own place
    on), the masks may lack the first of these, or the first few.

    Args:
        folder: of the masks.
        samples: the photos.

    Returns:
        a path by id, whether or not a file is there; and lines that tell which folder was left away.

    Raises:
        WeaksegError: no photo has a mask, more than one way to leave folders away finds some, or by the list that
            ``weakseg predict`` has written several masks could be meant.
    """
    paths, told = find_named(folder, [sample.id for sample in samples], (".png",))
    if not any(os.path.isfile(path) for path in paths.values()):
        raise WeaksegError(
            f"{folder}: nothing could be scored: no mask is called as one of {len(paths)} photos (looked for "
            f"{next(iter(paths.values()))}, ...); give the folder below which they have the photos' ids, or let "
            "`weakseg predict --data` name them"
        )
    return _as_listed(paths, samples, listed_photos(folder)), told


def find_named(
    folder: Path, ids: Sequence[str], suffixes: Sequence[str], what: str = "masks"
) -> tuple[dict[str, Path], list[str]]:
    """The files of photos by their ids: ``folder/ID.SUFFIX``, for the first suffix that some photo's file has.

    Where no photo has one and all ids begin with the same folders, the files may lack the first of these, or the first
    few.

    Args:
        folder: of the files.
        ids: of the photos.
        suffixes: that the files may have.
        what: they are, for messages.

    Returns:
        a path by id, whether or not a file is there; and lines that tell which folder was left away.

    Raises:
        WeaksegError: more than one way to leave folders away finds some.
    """
    shared = _shared_folders(ids)
    ways = {
        (suffix, count): {name: folder / f"{'/'.join(name.split('/')[count:])}{suffix}" for name in ids}
        for suffix in suffixes
        for count in range(len(shared) + 1)
    }
    some = [way for way, paths in ways.items() if any(os.path.isfile(path) for path in paths.values())]
    suffix, count = some[0] if some else (suffixes[0], 0)
    others = [way for way in some if way[0] == suffix and way[1] != count]
    if count and others:
        both = " and ".join(str(ways[way][ids[0]]) for way in ((suffix, count), *others))
        raise WeaksegError(f"{folder}: {what} could be named as {both}; give the folder that holds one kind alone")
    without = [f"{what} are named as the photos without {'/'.join(shared[:count])}/"] if count else []
    return ways[suffix, count], without


def _shared_folders(ids: Sequence[str]) -> tuple[str, ...]:
    """The folders that all ids begin with."""
    levels = zip(*(PurePosixPath(name).parent.parts for name in ids), strict=False)
    return tuple(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, levels))


def _as_listed(paths: dict[str, Path], samples: Sequence[Sample], photos: Mapping[Path, Path]) -> dict[str, Path]:
    """Correct paths by the list of masks: cat.jpg and cat.png are told apart there, whichever of them came first."""
    of_photo = {os.path.abspath(photo): mask for mask, photo in photos.items()}
    of_name = Counter((mask.parent, photo.name) for mask, photo in photos.items())
    named = {(mask.parent, photo.name): mask for mask, photo in photos.items()}
    found = dict(paths)
    for sample in samples:
        if not isinstance(sample.image, Path):
            continue
        same = of_photo.get(os.path.abspath(sample.image))
        key = (paths[sample.id].parent, sample.image.name)
        if same is None and of_name[key] > 1:
            raise WeaksegError(
                f"{named[key]}: one of {of_name[key]} masks made of a photo called {key[1]}, and {sample.image} could "
                "be either; let `weakseg predict --data` name the masks"
            )
        found[sample.id] = same or named.get(key, paths[sample.id])
    return found
