"""The trained network of a run, on photos of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from weakseg.api.pixels import Photo, photo_array
from weakseg.data.images import overlay, write_mask
from weakseg.data.paths import IMAGE_SUFFIXES, list_images, unread_line
from weakseg.data.sample import IGNORE, Array, Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.network import RunNetwork, read_network
from weakseg.report.pictures import segmentation_sheet
from weakseg.training.progress import warn


def load_segmenter(folder: str | os.PathLike[str], device: str = "cpu") -> Segmenter:
    """The trained segmentation network of a run, ready for photos.

    Args:
        folder: directory of a run with a segment stage.
        device: "cpu", "cuda", "mps" or "auto".

    Raises:
        WeaksegError: no run or no such network there, or no such device here.
    """
    stored = read_network(Path(folder))
    try:
        found = stored.build(device)
    except WeaksegError as error:
        if not str(error).startswith("hardware: "):
            raise
        raise WeaksegError(f"load_segmenter: there is no device {device!r} here; take 'cpu' or 'auto'") from error
    return Segmenter(found.network, found.recipe, found.classes, found.device, found.levels)


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """A photo's mask.

    Attributes:
        labels: uint8 (H, W), 0 background, c + 1 the class ``classes.names[c]``.
        confidence: float32 (H, W) in [0, 1], the probability that the network gives to each label.
        image: the photo, uint8 RGB (H, W, 3), upright.
        classes: names, mask values and colours.
    """

    labels: Array
    confidence: NDArray[np.float32]
    image: Array
    classes: Classes

    @cached_property
    def areas(self) -> dict[str, float]:
        """The classes found, with their share of the photo (0 to 1), the largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=IGNORE + 1)[1 : len(self.classes) + 1] / self.labels.size
        pairs = sorted(zip(self.classes.names, counts.tolist(), strict=True), key=lambda pair: -pair[1])
        return {name: area for name, area in pairs if area}

    def overlay(self, alpha: float = 0.5) -> Image.Image:
        """The photo with its mask over it, in the colours of the classes; ``alpha`` is their share, 0 to 1."""
        return Image.fromarray(overlay(self.image, self._values(), self.classes.palette, alpha))

    def show(self, size: tuple[int, int] = (240, 320)) -> Image.Image:
        """Photo, mask and confidence side by side, with a legend; ``size`` is what each fits into (height, width)."""
        drawn = segmentation_sheet(self.image, self.labels, self.confidence, self.classes, self._found(), size)
        return Image.fromarray(drawn.draw())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mask as a palette PNG in the values of the classes, as ``weakseg predict`` does."""
        write_mask(Path(path), self._values(), self.classes.palette)

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return f"<Segmentation {width}x{height}: {self._found()}>"

    def _values(self) -> Array:
        return self.classes.to_values(self.labels)

    def _found(self) -> str:
        return ", ".join(f"{name} {100 * area:.1f} %" for name, area in self.areas.items()) or "background"


@dataclass(frozen=True)
class Segmenter(RunNetwork):
    """A trained segmentation network; call it with a photo, or `predict` many."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of labels 1, 2, ...; 0 is the background."""
        return self.classes.names

    @torch.inference_mode()
    def __call__(self, photo: Photo) -> Segmentation:
        """Segment one photo of any size.

        Args:
            photo: a numpy array uint8 (H, W, 3) in RGB order or grey (H, W), a PIL image, a torch tensor (3, H, W) of
                uint8 or of floats in [0, 1], a file, or a sample; see `weakseg.api.pixels.photo_array`.

        Raises:
            WeaksegError: anything else, or a file that cannot be read.
        """
        image = photo_array(photo, self)
        found = self.segment("the photo", image)
        return Segmentation(found.labels.numpy(), found.confidence.numpy(), image, self.classes)

    @overload
    def predict(self, photos: Array | Image.Image | Tensor | Sample) -> Segmentation: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, photos: str | os.PathLike[str]) -> Any: ...
    @overload
    def predict(self, photos: Iterable[Photo]) -> Iterator[Segmentation]: ...
    def predict(self, photos: Any) -> Any:
        """Segment one photo, or many one by one.

        Many are read as they are asked for, so that a video or a large folder needs the memory of a single photo.

        Args:
            photos: one photo, as `__call__` takes it; an iterable of photos, such as a list, a generator or the frames
                of a video (RGB: OpenCV's BGR frames as ``frame[..., ::-1]``); or a folder.

        Returns:
            A Segmentation of one photo; an iterator of them, in the order given, of an iterable; of a folder an
            iterator of paths with their Segmentations, see `predict_folder`.

        Raises:
            WeaksegError: a photo that is none; of many its place is named, and what came before was given.
        """
        if isinstance(photos, (str, os.PathLike)):
            return self.predict_folder(photos) if Path(photos).is_dir() else self(photos)
        if isinstance(photos, (np.ndarray, Tensor)) and photos.ndim != 1:
            return self(photos)
        if isinstance(photos, Iterable) and not isinstance(photos, (Image.Image, bytes, bytearray, Mapping)):
            return self._one_by_one(photos)
        return self(photos)

    def predict_folder(self, folder: str | os.PathLike[str]) -> Iterator[tuple[Path, Segmentation]]:
        """Segment the photos of a folder and of those in it, one by one.

        Args:
            folder: of images; hidden files are left out.

        Returns:
            An iterator of path and Segmentation, by path. Photos that cannot be read are left out with a warning on
            standard error, as by ``weakseg predict``.

        Raises:
            WeaksegError: there is no such folder, or no image in it.
        """
        place = Path(folder)
        if not place.is_dir():
            raise WeaksegError(f"{place}: no such folder")
        files, unread = list_images(place), unread_line(place)
        if unread:
            warn(unread)
        if not files:
            raise WeaksegError(f"{place}: no images there; known are {', '.join(IMAGE_SUFFIXES)}")
        return self._of_files(files)

    def _of_files(self, files: Iterable[Path]) -> Iterator[tuple[Path, Segmentation]]:
        for file in files:
            try:
                found = self(file)
            except WeaksegError as error:
                warn(f"left out: {error}")
                continue
            yield file, found

    def _one_by_one(self, photos: Iterable[Photo]) -> Iterator[Segmentation]:
        for place, photo in enumerate(photos):
            try:
                found = self(photo)
            except WeaksegError as error:
                raise WeaksegError(f"photos[{place}]: {error}") from error
            yield found
