"""The loop over photos and their class maps that the stages after localize share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.methods.base import ReadMaps
from weakseg.training.photos import undone


def undone_maps(
    images: ImageSet, read_maps: ReadMaps, output: Callable[[Sample], Path], *, title: str, workers: int = 0
) -> Iterator[tuple[Sample, Array, ClassMaps]]:
    """Photos whose output is not there, uint8 RGB (H, W, 3), with their maps; see `weakseg.training.photos.undone`."""

    def load(sample: Sample) -> tuple[Array, ClassMaps]:
        return sample.read_image(), read_maps(sample)

    for sample, (image, maps) in undone(images.samples, load, output, title=title, workers=workers):
        yield sample, image, maps
