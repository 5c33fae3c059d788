"""What photos, tags and machine are like: all that a plan depends on. No mask is read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil
import torch

from weakseg.data.sample import Sample
from weakseg.data.source import Source
from weakseg.errors import WeaksegError

SIZED, DECODED = 200, 12  # photos whose header, and whose colours are looked at
GREY = 2  # largest mean difference of the bands of a grey picture, in grey levels


@dataclass(frozen=True)
class Machine:
    """Where a run is going to be.

    Attributes:
        cores: of the processor.
        memory: bytes that are free or can be made free.
        gpu: bytes of the GPU's memory, 0 without one.
    """

    cores: int
    memory: int
    gpu: int = 0


@dataclass(frozen=True)
class Fingerprint:
    """What a data set is like.

    Attributes:
        photos: of the training list.
        classes: how many there are.
        untagged: photos without a tag.
        rarest: photos of the class with the fewest.
        tags: mean number of tags of a tagged photo.
        size: (height, width) that half of the photos are below, each side by itself.
        long_side: that nine of ten photos are below, in pixels.
        grey: whether the photos have no colour.
    """

    photos: int
    classes: int
    untagged: int
    rarest: int
    tags: float
    size: tuple[int, int]
    long_side: int
    grey: bool


def this_machine() -> Machine:
    """The machine that this runs on."""
    gpu = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cores, psutil.virtual_memory().available, gpu)


def fingerprint(source: Source, split: str = "train") -> Fingerprint:
    """Look at a training list: all tags, the headers of some photos, the colours of a few.

    Raises:
        WeaksegError: no such list, an empty one, or none of the photos that were looked at can be read.
    """
    samples = source.image_set(split).samples
    counts = Counter(tag for sample in samples for tag in sample.tags)
    tagged = sum(bool(sample.tags) for sample in samples)
    sizes = [size for sample in spread(samples, SIZED) if (size := _size(sample)) is not None]
    if not sizes:
        raise WeaksegError(
            f"{source.spec}: none of the photos of {split!r} can be read; see `weakseg data {source.spec}`"
        )
    heights, widths = np.array(sizes).T
    return Fingerprint(
        photos=len(samples),
        classes=len(source.classes),
        untagged=len(samples) - tagged,
        rarest=min((counts[name] for name in source.classes.names), default=0),
        tags=counts.total() / max(1, tagged),
        size=(int(np.median(heights)), int(np.median(widths))),
        long_side=int(np.quantile(np.maximum(heights, widths), 0.9)),
        grey=all(_is_grey(sample) for sample in spread(samples, DECODED)),
    )


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most ``count`` samples, evenly over all, in their order."""
    count = min(count, len(samples))
    return [samples[index * len(samples) // count] for index in range(count)]


def _size(sample: Sample) -> tuple[int, int] | None:
    try:
        return sample.photo_size()
    except (WeaksegError, OSError):
        return None


def _is_grey(sample: Sample) -> bool:
    try:
        image = sample.read_image().astype(np.int16)
    except WeaksegError:
        return True  # it says nothing
    return bool(np.abs(np.diff(image, axis=2)).mean() < GREY)
