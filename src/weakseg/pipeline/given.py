"""What other codes have made for the photos of a run: class maps instead of localize's, masks instead of refine's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from weakseg.data.classmaps import ClassMaps, save_maps
from weakseg.data.givenmaps import SUFFIXES, read_given_maps
from weakseg.data.images import size_text, working_size, write_gray, write_mask
from weakseg.data.sample import IGNORE, Classes, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.ops.maps import resize_maps, strided_size
from weakseg.pipeline.newphotos.finding import find_named, mask_reader
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.training.progress import say, track

MAPS, MASKS = SUFFIXES, (".png",)
"""Suffixes of class maps and of masks."""
Output = Callable[[Sample], Path]


def find_given(folder: Path, images: ImageSet, suffixes: tuple[str, ...], key: str) -> dict[str, Path]:
    """The file of every photo, by its id.

    Args:
        folder: of the files, called as the photos' ids.
        images: the photos.
        suffixes: `MAPS` or `MASKS`.
        key: of the recipe, for messages.

    Raises:
        WeaksegError: no such folder, or photos without a file, naming the first and how many there are.
    """
    if not folder.is_dir():
        raise WeaksegError(f"{key}: {folder}: no such folder")
    paths, _ = find_named(folder, [sample.id for sample in images.samples], suffixes, "files")
    missing = [path for path in paths.values() if not os.path.isfile(path)]
    if missing:
        raise WeaksegError(
            f"{key}: {len(missing)} of {len(paths)} training photos have no file in {folder} (first: {missing[0]}); "
            "add them, or choose another list with data.train"
        )
    return paths


def given_contents(folder: Path, images: ImageSet, suffixes: tuple[str, ...], key: str) -> list[str | None]:
    """A hash of every photo's file; see `find_given`."""
    paths = find_given(folder, images, suffixes, key)
    hashes = CONTENTS.of(paths.values())
    return [hashes[path] for path in paths.values()]


def take_maps(folder: Path, images: ImageSet, out: Output, *, stride: int) -> None:
    """Write the class maps of a folder as those of the run, but for those that are there.

    Args:
        folder: of maps as `weakseg.data.givenmaps.read_given_maps` reads them.
        images: photos with tags.
        out: where the maps of a photo go.
        stride: maps that are finer are reduced to it.

    Raises:
        WeaksegError: a file that does not fit its photo.
    """
    paths = find_given(folder, images, MAPS, "localize.maps")
    say(f"localize: class maps are those of {folder}")
    for sample in _undone(images, out, "localize: take maps"):
        found = read_given_maps(paths[sample.id], sample.tags, images.classes, sample.photo_size())
        size = working_size(found.size, sample.long_side)
        save_maps(out(sample), reduced(replace(found, size=size), stride))


def reduced(maps: ClassMaps, stride: int) -> ClassMaps:
    """Class maps at a stride; coarser ones as they are."""
    height, width = strided_size(maps.size, stride)
    if not maps.classes or maps.scores.shape[1] * maps.scores.shape[2] <= height * width:
        return maps
    return replace(maps, scores=resize_maps(maps.scores, (height, width)))


def read_maps_of(folder: Path, images: ImageSet) -> tuple[Callable[[Sample], ClassMaps], list[str]]:
    """How to read the class maps of photos from a folder, and lines that tell what was made of their names.

    A photo without a file is told when it is read.
    """
    paths, told = find_named(folder, [sample.id for sample in images.samples], MAPS, "class maps")
    classes: Classes = images.classes

    def read(sample: Sample) -> ClassMaps:
        return read_given_maps(paths[sample.id], sample.tags, classes, sample.photo_size(), fine=True)

    return read, told


def take_masks(folder: Path, images: ImageSet, masks: Output, confidence: Output) -> None:
    """Write the masks of a folder as the pseudo masks of the run, as sure as can be, but for those that are there.

    Args:
        folder: of PNGs called as the photos' ids, in the values of the data's classes or of a classes.txt there.
        images: the photos.
        masks: where the mask of a photo goes.
        confidence: where its confidence goes; none at pixels that the mask ignores.

    Raises:
        WeaksegError: a mask that does not fit its photo, or holds values of no class.
    """
    find_given(folder, images, MASKS, "refine.masks")
    read, told = mask_reader(folder, images)
    for line in (f"refine: pseudo masks are those of {folder}", *told):
        say(line)
    for sample in _undone(images, masks, "refine: take masks"):
        labels, (height, width) = images.classes.to_labels(read(sample)), sample.photo_size()
        if labels.shape != (height, width):
            raise WeaksegError(
                f"{folder}: the mask of {sample.id} is {size_text(labels)}, but its photo is {width}x{height}"
            )
        write_gray(confidence(sample), np.where(labels == IGNORE, np.uint8(0), np.uint8(255)))
        # The mask comes last: its presence says that the sample is done.
        write_mask(masks(sample), images.classes.to_values(labels), images.classes.palette)


def _undone(images: ImageSet, out: Output, title: str) -> Iterator[Sample]:
    todo = [sample for sample in images.samples if not out(sample).exists()]
    yield from track(todo, title, len(todo))
