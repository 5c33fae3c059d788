"""The nouns of a data set: classes, samples, sets of samples, and the source they come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from weakseg.data.headers import read_header, upright_as
from weakseg.data.images import Levels, read_image, read_mask, resize_image, working_size
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

    def listed(self) -> str:
        """What a ``classes.txt`` says: a line per class, name and value with a tab between."""
        return "".join(f"{name}\t{value}\n" for name, value in zip(self.names, self.values, strict=True))

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
        mask: a mask file, or a picklable function that composes it, or decodes its ``file``, or None.
            Values as on disk.
        levels: which values of a picture of more than 8 bits become black and white; None for its full range.
        recode: what the mask's file holds and what it counts as, such as ((255, 1),).
        long_side: of the picture as it is read, at most; None for its own size. Masks keep theirs.
    """

    id: str
    image: Path | Loader
    tags: tuple[str, ...]
    mask: Path | Loader | None = None
    levels: Levels | None = None
    recode: tuple[tuple[int, int], ...] = ()
    long_side: int | None = None

    def read_image(self) -> Array:
        """The picture, uint8 RGB (H, W, 3), at most ``long_side`` long. Raises WeaksegError if it cannot be read."""
        image = read_image(self.image, self.levels) if isinstance(self.image, Path) else self.image()
        return resize_image(image, working_size((image.shape[0], image.shape[1]), self.long_side))

    def photo_size(self) -> tuple[int, int]:
        """The size (H, W) of the picture itself, upright. Raises WeaksegError if it cannot be read."""
        header = read_header(self.image) if isinstance(self.image, Path) else None
        if header is not None:
            return header.size[::-1] if header.sideways else header.size
        height, width = replace(self, long_side=None).read_image().shape[:2]
        return height, width

    def read_mask(self) -> Array:
        """The true mask, uint8 (H, W), upright as its picture is. Raises WeaksegError without one."""
        if self.mask is None:
            raise WeaksegError(f"{self.id}: no mask")
        mask = read_mask(self.mask) if isinstance(self.mask, Path) else self.mask()
        if isinstance(self.image, Path):
            mask = upright_as(self.image, mask)
        if not self.recode:
            return mask
        table = np.arange(256, dtype=np.uint8)
        for stored, value in self.recode:
            table[stored] = value
        return table[mask]


def file_of(content: Path | Loader | None) -> Path | None:
    """The file that a picture or mask is read from: itself, or the ``file`` of what decodes it; None if composed."""
    if isinstance(content, Path):
        return content
    file: Path | None = getattr(content, "file", None)
    return file


@dataclass(frozen=True)
class ImageSet:
    """Samples that share a list of classes. ``samples`` may be a lazy sequence."""

    classes: Classes
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def at_most(self, long_side: int | None) -> ImageSet:
        """The set with pictures that are read at most ``long_side`` pixels long; masks keep their size."""
        return ImageSet(self.classes, _Changed(self.samples, {"long_side": long_side}))

    def without(self, ids: Collection[str]) -> ImageSet:
        """The set without the samples of some ids; the set itself where there are no ids."""
        if not ids:
            return self
        return ImageSet(self.classes, [sample for sample in self.samples if sample.id not in ids])

    def without_masks(self) -> ImageSet:
        """The set as training and refinement may see it."""
        return ImageSet(self.classes, _Changed(self.samples, {"mask": None}))


@dataclass(frozen=True)
class Source:
    """A data set as one string opens it.

    Attributes:
        spec: that string, such as "voc:PATH".
        classes: its foreground classes.
        splits: samples per split; may be lazy sequences, and empty.
        problems: one line per file that is missing or broken and so left out.
        warnings: one line per thing that the user should know.
        empty: for splits without samples, why.
        classes_file: the classes.txt that it has or could have; None where it cannot have one.
    """

    spec: str
    classes: Classes
    splits: Mapping[str, Sequence[Sample]]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    empty: Mapping[str, str] = field(default_factory=dict)
    classes_file: Path | None = None

    def image_set(self, split: str, masks: bool = False) -> ImageSet:
        """One split; without masks unless they are asked for.

        Raises:
            WeaksegError: no such split, or one without samples.
        """
        if split not in self.splits:
            raise one_of(f"split of {self.spec}", split, self.splits)
        images = ImageSet(self.classes, self.splits[split])
        if not len(images):
            others = ", ".join(f"{name} ({len(samples)})" for name, samples in self.splits.items() if len(samples))
            reason = self.empty.get(split, "it lists no image")
            raise WeaksegError(
                f"{self.spec}: split {split!r} is empty: {reason}; splits with images: {others or 'none'}"
            )
        return images if masks else images.without_masks()


class _Changed(Sequence[Sample]):
    """A view of samples with some of their attributes replaced, which keeps lazy sequences lazy."""

    def __init__(self, samples: Sequence[Sample], changes: Mapping[str, Any]) -> None:
        self._samples, self._changes = samples, changes

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return _Changed(self._samples[index], self._changes)
        return replace(self._samples[index], **self._changes)
