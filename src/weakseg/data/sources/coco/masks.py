"""Masks of classes from COCO's outlines, drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from weakseg.data.sample import Array
from weakseg.errors import WeaksegError


@dataclass(frozen=True, eq=False)
class OutlinedMask:
    """The mask of one photo: calling it reads its outlines and draws them.

    Of regions that overlap the smaller one is on top, as it lies in front more often than not; crowds are below all.

    Attributes:
        file: COCO's JSON.
        size: (H, W) of the photo.
        regions: per annotation of the photo, first byte and number of bytes of its segmentation in the file, whether
            it is a crowd, and the mask value of its class; int64 (N, 4).
    """

    file: Path
    size: tuple[int, int]
    regions: NDArray[np.int64]

    def __str__(self) -> str:
        """What messages call it."""
        return f"{self.file}: an image"

    def __call__(self) -> Array:
        """Mask values, uint8 (H, W), 0 where no outline is.

        Raises:
            WeaksegError: the file has changed since it was listed, or an outline cannot be read.
        """
        drawn = sorted(self._regions(), key=lambda region: (not region[0], -int(region[1].sum())))
        mask = np.zeros(self.size, np.uint8)
        for _, where, value in drawn:
            mask[where] = value
        return mask

    def _regions(self) -> list[tuple[bool, NDArray[np.bool_], int]]:
        """Per region whether it is a crowd, its pixels (H, W) and the value of its class, in the file's order."""
        try:
            with self.file.open("rb") as file:
                found = []
                for start, size, crowd, value in self.regions.tolist():
                    if size:
                        file.seek(start)
                        segmentation = msgspec.json.decode(file.read(size))
                        found.append((bool(crowd), decoded(segmentation, self.size, str(self.file)), value))
                return found
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WeaksegError(f"{self.file}: changed since it was listed ({error}); open the source again") from None


def decoded(segmentation: Any, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """A region's pixels (H, W): at the size that run lengths say themselves, or for outlines at that of the photo.

    Args:
        segmentation: COCO's: polygons, or run lengths, compressed or not.
        size: (H, W) of the photo.
        where: file and photo, for messages.

    Raises:
        WeaksegError: it is none of these.
    """
    try:
        if isinstance(segmentation, Mapping):
            height, width = segmentation["size"]
            runs: Any = dict(segmentation)
            if isinstance(runs["counts"], list):
                runs = run_lengths.frPyObjects(runs, height, width)
        else:
            runs = run_lengths.merge(run_lengths.frPyObjects(segmentation, *size))
        return np.asarray(run_lengths.decode(runs)).astype(bool)
    except Exception as error:  # pycocotools raises nearly anything
        raise WeaksegError(f"{where}: a segmentation that cannot be read ({error})") from error
