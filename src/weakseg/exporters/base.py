"""What an exporter is given and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from weakseg.data.images import read_mask
from weakseg.data.instances import PhotoInstances, load_instances
from weakseg.data.sample import IGNORE, Array, Classes, Sample
from weakseg.errors import WeaksegError

What = Literal["masks", "predictions"]
Photos = Literal["copy", "stay"]


@dataclass(frozen=True)
class Region:
    """A class, or one object of it, in a photo.

    Attributes:
        label: c + 1 for class c.
        mask: bool (H, W), with at least one pixel.
        score: in [0, 1]; None where nothing told one.
    """

    label: int
    mask: NDArray[np.bool_]
    score: float | None = None


@dataclass(frozen=True)
class MaskedPhoto:
    """A photo with its mask.

    Attributes:
        sample: the photo; of drawn pictures the image is a function. Its ground truth is not for exporters.
        path: the mask's file, in the values of the classes.
        classes: of the mask.
        objects: the file of its objects one by one, where the run has found them; they stand for the mask then.
    """

    sample: Sample
    path: Path
    classes: Classes
    objects: Path | None = None

    @property
    def id(self) -> str:
        """Of the sample."""
        return self.sample.id

    @property
    def file_name(self) -> str:
        """The photo's path below its data set's folder of photos; drawn pictures are called .png."""
        return f"{self.id}{self.sample.image.suffix if isinstance(self.sample.image, Path) else '.png'}"

    def values(self) -> Array:
        """The mask as its file spells it, uint8 (H, W): 0, values of classes, 255 for ignore.

        Raises:
            WeaksegError: it cannot be read, or has a value of no class.
        """
        values = read_mask(self.path)
        strange = sorted(set(np.unique(values).tolist()) - {0, IGNORE, *self.classes.values})
        if strange:
            raise WeaksegError(f"{self.path}: value {strange[0]} is of no class; have the mask made again")
        return values

    def labels(self) -> Array:
        """The mask as labels, uint8 (H, W): 0 background, c + 1 class c, 255 ignore. Raises as `values`."""
        return self.classes.to_labels(self.values())

    def regions(self) -> list[Region]:
        """Its objects where there are any known, else one region per class in the mask, by label."""
        if self.objects is not None:
            objects = self._found(self.objects).instances
            found = [Region(one.label, one.mask.numpy().astype(bool), float(one.score)) for one in objects]
            return [region for region in found if region.mask.any()]
        labels = self.labels()
        present = [int(label) for label in np.unique(labels) if label not in (0, IGNORE)]
        return [Region(label, labels == label) for label in present]

    def size(self) -> tuple[int, int]:
        """(H, W) of the mask, which is that of the upright photo."""
        if self.objects is not None:
            return self._found(self.objects).size
        height, width = self.values().shape
        return height, width

    def painted(self) -> tuple[Array, NDArray[np.int32]]:
        """Labels (H, W) and the number of each pixel's region, int32 (H, W), from 1; objects overlap in their order."""
        labels, numbers = np.zeros(self.size(), np.uint8), np.zeros(self.size(), np.int32)
        for number, region in enumerate(self.regions(), start=1):
            labels[region.mask], numbers[region.mask] = region.label, number
        return labels, numbers

    def _found(self, path: Path) -> PhotoInstances:
        (found,) = load_instances(path, self.classes)
        return found


@dataclass(frozen=True)
class MaskSet:
    """The masks of many photos.

    Attributes:
        title: what they are, such as "pseudo masks of refine".
        name: of the run, for file names.
        split: the list that the photos are of, such as "train".
        classes: of the masks.
        photos: in the order of their list; at least one.
        notes: lines that tell what was left out.
    """

    title: str
    name: str
    split: str
    classes: Classes
    photos: Sequence[MaskedPhoto]
    notes: tuple[str, ...] = ()

    def checked(self) -> Iterator[MaskedPhoto]:
        """The photos one by one, each with a mask of its size.

        Raises:
            WeaksegError: a mask has another size than its photo.
        """
        for photo in self.photos:
            if isinstance(photo.sample.image, Path) and photo.sample.photo_size() != photo.size():
                (height, width), (rows, columns) = photo.sample.photo_size(), photo.size()
                raise WeaksegError(
                    f"{photo.objects or photo.path}: {columns}x{rows}, but {photo.sample.image} is {width}x{height}; "
                    "have the mask of this photo made again"
                )
            yield photo


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        counts: what there is how many of, such as {"photos": 9, "annotations": 14}.
        files: the most important files, relative to the folder.
        notes: what is lost, and what to do with the files: one line each.
    """

    counts: dict[str, int]
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportJob:
    """What is to be exported.

    Attributes:
        folder: of a run, or of masks that ``weakseg predict`` has written.
        out: an empty folder to write to.
        what: "masks" for the pseudo masks of a run's training photos, "predictions" for the network's of its validation
            photos; None for masks.
        data: the source that has the photos; None for the one that the run was made of.
        photos: whether photos are copied; None for what the format needs.
        whole: one region per class, even where objects were found one by one.
        url: what stands before a photo's path in a format that loads photos from an address; None for local files.
        reviews: a file of reviews whose corrected masks stand for the run's, and whose rejected ones are left out.
    """

    folder: Path
    out: Path
    what: What | None = None
    data: str | None = None
    photos: Photos | None = None
    whole: bool = False
    url: str | None = None
    reviews: Path | None = None

    @cached_property
    def masks(self) -> MaskSet:
        """The masks. Raises WeaksegError where there are none, with the way to get them."""
        from weakseg.exporters.collect import collect_masks

        return collect_masks(self.folder, self.what, self.data, whole=self.whole, reviews=self.reviews)


class Exporter(ABC):
    """Writes a format of another tool.

    Attributes:
        about: one line that says what is written.
        modules: what it imports that is not installed with weakseg alone.
        extra: of weakseg, that brings these.
    """

    about: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "export"

    @abstractmethod
    def __call__(self, job: ExportJob) -> Exported:
        """Write into ``job.out``.

        Raises:
            WeaksegError: there is nothing of the kind to export, with the way to get it.
        """

    @classmethod
    def check_installed(cls) -> None:
        """Raise WeaksegError, with the command that helps, where a module is missing."""
        missing = [name for name in cls.modules if find_spec(name) is None]
        if missing:
            raise WeaksegError(f"this needs {', '.join(missing)}: pip install 'weakseg[{cls.extra}]'")


@dataclass
class Tally:
    """Counts kept while photos are written."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, number: int = 1) -> None:
        """Add to a count; it appears in the order in which it was first added to."""
        self.counts[name] = self.counts.get(name, 0) + number
