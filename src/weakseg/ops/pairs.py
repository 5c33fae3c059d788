"""Which pixels of a map form pairs: the geometry shared by AffinityNet and IRNet.

A pair joins a source pixel with the pixel ``(dy, dx)`` away from it, for every offset of `pair_offsets`; each pair
appears once. A quantity of all pairs is a *stencil*, a tensor (..., n, h, w): entry ``[k, y, x]`` belongs to the
pair of pixel ``(y, x)`` and pixel ``(y + dy_k, x + dx_k)`` and is zero where that pair does not exist.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

Border = Literal["all", "crop"]
"""Pairs near the border. ``all``: every pair inside the map. ``crop``: as the released code of AffinityNet, only
sources that have all their partners: rows 0..h-r, columns r-1..w-r (docs/methods/affinitynet.md, "Pairs")."""

Slices = tuple[slice, slice]


class PairWindow(NamedTuple):
    """The sources of one offset and their partners: two rectangles of one shape.

    Example: ``f[..., *window.source] - f[..., *window.target]`` is the difference of all pairs of this offset.
    """

    source: Slices
    target: Slices


def pair_offsets(radius: int) -> tuple[tuple[int, int], ...]:
    """Offsets (dy, dx) shorter than the radius, each direction once, in raster order.

    Raises:
        ValueError: the radius is below 2.

    Example:
        >>> pair_offsets(2)
        ((0, 1), (1, -1), (1, 0), (1, 1))
        >>> len(pair_offsets(5)), len(pair_offsets(10))
        (34, 152)
    """
    if radius < 2:
        raise ValueError(f"a pair radius is at least 2, got {radius}")
    reach = range(1 - radius, radius)
    right = [(0, dx) for dx in range(1, radius)]
    below = [(dy, dx) for dy in range(1, radius) for dx in reach if dy * dy + dx * dx < radius * radius]
    return tuple(right + below)


def pair_windows(size: tuple[int, int], radius: int, border: Border = "all") -> list[PairWindow]:
    """The source and partner rectangles of every offset on a map of size (h, w).

    With ``border="all"`` an offset longer than the map has empty rectangles, so any size works.

    Raises:
        ValueError: with ``border="crop"``, the map is smaller than (radius, 2 * radius - 1).
    """
    height, width = size
    windows = []
    for dy, dx in pair_offsets(radius):
        if border == "crop":
            rows, columns = crop_window(size, radius)
        else:
            rows = slice(0, max(0, height - dy))
            columns = slice(max(0, -dx), max(0, -dx) + max(0, width - abs(dx)))
        windows.append(PairWindow((rows, columns), (_shift(rows, dy), _shift(columns, dx))))
    return windows


def crop_window(size: tuple[int, int], radius: int) -> Slices:
    """The sources of ``border="crop"``: rows 0..h-r, columns r-1..w-r.

    Raises:
        ValueError: the map is smaller than (radius, 2 * radius - 1).
    """
    height, width = size
    if height < radius or width < 2 * radius - 1:
        raise ValueError(
            f"a map of {height} x {width} has no pairs of radius {radius} with border 'crop': "
            f"it needs {radius} x {2 * radius - 1}; use a smaller radius or border 'all'"
        )
    return slice(0, height - radius + 1), slice(radius - 1, width - radius + 1)


def stencil_to_pairs(stencil: Tensor, radius: int) -> Tensor:
    """The authors' pair list (..., n, P) of a stencil (..., n, h, w): sources of `crop_window` in raster order."""
    rows, columns = crop_window((stencil.shape[-2], stencil.shape[-1]), radius)
    return stencil[..., rows, columns].flatten(-2)


def pairs_to_stencil(pairs: Tensor, size: tuple[int, int], radius: int) -> Tensor:
    """The stencil (..., n, h, w) of the authors' pair list (..., n, P); inverse of `stencil_to_pairs`."""
    rows, columns = crop_window(size, radius)
    stencil = pairs.new_zeros(*pairs.shape[:-1], *size)
    stencil[..., rows, columns] = pairs.unflatten(-1, (rows.stop - rows.start, columns.stop - columns.start))
    return stencil


def _shift(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def check_crop(crop: int, stride: int, radius: int) -> None:
    """Raise ValueError where no pixel of a crop's map has all its partners.

    Args:
        crop: side of the crop in photo pixels.
        stride: photo pixels per map pixel, a side.
        radius: pairs are closer than this many map pixels.
    """
    least = stride * (2 * radius - 1)
    if crop < least:
        raise ValueError(f"augment.crop must be at least {least} for stride {stride} and radius {radius}")
