"""The nouns of a data set: classes, samples and sets of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weakseg.data.images import read_image, read_mask
from weakseg.errors import WeaksegError, one_of

Array = NDArray[np.uint8]
Loader = Callable[[], Array]

BACKGROUND = 0
IGNORE = 255


@dataclass(frozen=True)
class Classes:
    """The foreground classes of a data set and how its mask files spell them.

    Inside weakseg a mask holds *labels*: 0 background, c + 1 for ``names[c]``, 255 ignore.
    On disk it holds the file's own ``values`` (a subset of VOC keeps VOC's ids).

    Attributes:
        names: the C foreground class names, without background.
        values: the C mask values on disk, each in 1..254 and unique.
        palette: 256 RGB triples, indexed by mask value.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    palette: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a class in ``names`` (0-based, background not counted)."""
        try:
            return self.names.index(name)
        except ValueError:
            raise one_of("class", name, self.names) from None

    def multi_hot(self, tags: Sequence[str]) -> NDArray[np.float32]:
        """Tags as a float32 vector of C zeros and ones."""
        vector = np.zeros(len(self.names), dtype=np.float32)
        for tag in tags:
            vector[self.index(tag)] = 1.0
        return vector

    def to_labels(self, mask: Array) -> Array:
        """Mask values on disk -> labels 0..C and 255; values of no class become 255."""
        table = np.full(256, IGNORE, dtype=np.uint8)
        table[BACKGROUND] = BACKGROUND
        for label, value in enumerate(self.values, start=1):
            table[value] = label
        return table[mask]

    def to_values(self, labels: Array) -> Array:
        """Labels 0..C and 255 -> mask values on disk."""
        table = np.full(256, IGNORE, dtype=np.uint8)
        table[: len(self.values) + 1] = (BACKGROUND, *self.values)
        return table[labels]


@dataclass(frozen=True)
class Sample:
    """One photo with its tags.

    Attributes:
        id: unique in its set; relative path syntax without suffix ("2007_000032", "cat/17").
        image: a file, or a picklable function that composes the picture.
        tags: class names; empty means background only.
        mask: a mask file or function, or None. Values as on disk.
    """

    id: str
    image: Path | Loader
    tags: tuple[str, ...]
    mask: Path | Loader | None = None

    def read_image(self) -> Array:
        """The picture, uint8 RGB (H, W, 3). Raises WeaksegError if it cannot be read."""
        return read_image(self.image) if isinstance(self.image, Path) else self.image()

    def read_mask(self) -> Array:
        """The true mask, uint8 (H, W), values as on disk. Raises WeaksegError without one."""
        if self.mask is None:
            raise WeaksegError(f"{self.id}: no mask")
        return read_mask(self.mask) if isinstance(self.mask, Path) else self.mask()


@dataclass(frozen=True)
class ImageSet:
    """Samples that share a list of classes. ``samples`` may be a lazy sequence."""

    classes: Classes
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def without_masks(self) -> ImageSet:
        """The set as training and refinement may see it."""
        return ImageSet(self.classes, [replace(sample, mask=None) for sample in self.samples])
