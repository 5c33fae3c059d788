"""Large maps in pieces: overlapping tiles, and single rows of a resized map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int]
STRIP = 1 << 18
"""Pixels of a map that are made at a time."""
Rows = Callable[[int, int], Tensor]
"""Rows ``start`` to ``stop`` of a map: (N, C, stop - start, W)."""


@dataclass(frozen=True)
class Tile:
    """A part of a map.

    Attributes:
        core: rows and columns that the tile answers for; the cores of all tiles cover the map once.
        window: rows and columns that it looks at: the core and its surroundings, as far as the map goes.
    """

    core: tuple[slice, slice]
    window: tuple[slice, slice]

    def inside(self, stride: int = 1) -> tuple[slice, slice]:
        """The core within what a network of this stride makes of the window."""
        rows, columns = (
            slice((part.start - seen.start) // stride, (part.stop - seen.start) // stride)
            for part, seen in zip(self.core, self.window, strict=True)
        )
        return rows, columns

    def strided(self, stride: int) -> tuple[slice, slice]:
        """The core in a map of this stride."""
        rows, columns = (slice(part.start // stride, part.stop // stride) for part in self.core)
        return rows, columns


def tiles(size: Size, side: int, halo: int) -> Iterator[Tile]:
    """Cover a map of ``size`` (H, W) with tiles.

    Args:
        size: of the map.
        side: largest side of a core, in pixels.
        halo: width of the surroundings in pixels.

    Example:
        >>> [(tile.core[1].start, tile.window[1].start, tile.window[1].stop) for tile in tiles((8, 20), 8, 2)]
        [(0, 0, 10), (8, 6, 18), (16, 14, 20)]
    """
    height, width = size
    for top in range(0, height, side):
        for left in range(0, width, side):
            core = slice(top, min(top + side, height)), slice(left, min(left + side, width))
            rows, columns = (
                slice(max(0, part.start - halo), min(part.stop + halo, whole))
                for part, whole in zip(core, size, strict=True)
            )
            yield Tile(core, (rows, columns))


def resized_rows(source: Rows, source_height: int, size: Size, start: int, stop: int, *, align_corners: bool) -> Tensor:
    """Some rows of a bilinear resize of a map, without making the others.

    Args:
        source: gives rows of the map to be resized.
        source_height: how many it has.
        size: (H, W) to which the whole map is resized.
        start: first row of the result.
        stop: row after its last.
        align_corners: as `torch.nn.functional.interpolate` means it.

    Returns:
        (N, C, stop - start, W), equal to those rows of ``interpolate`` but for rounding.
    """
    rows = torch.arange(start, stop, dtype=torch.float64)
    if align_corners:
        places = rows * ((source_height - 1) / max(size[0] - 1, 1))
    else:
        places = ((rows + 0.5) * (source_height / size[0]) - 0.5).clamp(min=0)
    above = places.long().clamp(max=source_height - 1)
    below = (above + 1).clamp(max=source_height - 1)
    first = int(above[0])
    maps = source(first, int(below[-1]) + 1)
    weight = (places - above).to(maps.device, maps.dtype)[:, None]
    above, below = (index.to(maps.device) - first for index in (above, below))
    mixed = torch.lerp(maps[:, :, above], maps[:, :, below], weight)
    if mixed.shape[-1] == size[1]:
        return mixed
    return F.interpolate(mixed, (stop - start, size[1]), mode="bilinear", align_corners=align_corners)


def strips(size: Size) -> Iterator[tuple[int, int]]:
    """First row and row after the last of strips of about ``STRIP`` pixels that cover a map of ``size`` (H, W)."""
    step = max(1, STRIP // size[1])
    for top in range(0, size[0], step):
        yield top, min(top + step, size[0])


def enlarged(scores: Tensor, size: Size) -> Iterator[Tensor]:
    """Scores (K, h, w) resized to ``size`` (H, W), bilinear, strip by strip; as they are where they have the size.

    Yields:
        (K, rows, W), from the top.
    """
    if tuple(scores.shape[1:]) == size:
        yield scores
        return

    def source(first: int, last: int) -> Tensor:
        return scores[None, :, first:last]

    for rows in strips(size):
        yield resized_rows(source, scores.shape[1], size, *rows, align_corners=False)[0]
