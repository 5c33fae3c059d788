"""One photo of a file that came back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weakseg.data.sample import Array, Classes
from weakseg.errors import WeaksegError, one_of

Draw = Callable[[Classes], Array | None]
"""Classes -> labels, uint8 (H, W): 0 background, c + 1 class c, 255 ignore; None for background at whatever size the
photo has. Raises WeaksegError for other classes."""


@dataclass(frozen=True)
class Returned:
    """What a file says of a photo.

    Attributes:
        where: file and photo, for messages.
        names: what may tell which photo it is: its id, or paths of it, the likeliest first.
        draw: the mask; None where the file has none for it.
        tags: of the photo; None where the file says nothing of them.
    """

    where: str
    names: tuple[str, ...]
    draw: Draw | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Returns:
    """What a file says.

    Attributes:
        kind: of file, in words.
        photos: one entry each.
        notes: lines that tell what was not read.
    """

    kind: str
    photos: Sequence[Returned]
    notes: tuple[str, ...] = ()


def label_of(name: str, classes: Classes, where: str) -> int:
    """The label of a class. Raises WeaksegError, naming the photo, for a name that is of no class."""
    if name not in classes.names:
        raise WeaksegError(f"{where}: {one_of('class', name, classes.names)}")
    return classes.index(name) + 1


def paint(labels: Array, mask: NDArray[np.bool_], label: int, where: str) -> None:
    """Give the pixels of a region its label, in place. Raises WeaksegError where its size is another."""
    if mask.shape != labels.shape:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (mask, labels)]
        raise WeaksegError(f"{where}: a mask of {sizes[0]} for a photo of {sizes[1]}")
    labels[mask] = label
