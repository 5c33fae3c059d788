"""Outlines of regions as single rings of pixels, for formats that know polygons alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.measure import find_contours, label

Ring = NDArray[np.int64]
"""Pixels (n, 2) as (x, y), each a neighbour of the next, the last one of the first."""


def outlines(mask: NDArray[np.bool_]) -> tuple[list[Ring], int]:
    """The outlines of the connected parts of a mask.

    A polygon through the centres of a part's outermost pixels, filled with its border, is the part again, as OpenCV's
    ``findContours`` and ``fillPoly`` have it. A hole becomes part of the one ring: it is joined to the nearest pixel of
    the ring by a bridge that is walked there and back, so that filling by the even-odd rule leaves the hole free.

    Args:
        mask: bool (H, W).

    Returns:
        a ring per part (pixels that touch at a corner are one part), and how many holes were bridged.
    """
    parts = label(mask, connectivity=2)
    found, holes = [], 0
    for number in range(1, int(parts.max()) + 1):
        ring, bridged = _outline(parts == number)
        found.append(ring)
        holes += bridged
    return found, holes


def _outline(part: NDArray[np.bool_]) -> tuple[Ring, int]:
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    cut = np.pad(part[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    rings = [_ring(contour, cut) for contour in find_contours(cut.astype(np.float64), 0.5, fully_connected="high")]
    rings.sort(key=_extent, reverse=True)  # the outer one surrounds all others
    ring = _bridged(rings[0], rings[1:])
    return _without_straight(ring) + np.array([left - 1, top - 1]), len(rings) - 1


def _ring(contour: NDArray[np.float64], mask: NDArray[np.bool_]) -> Ring:
    """The pixels inside of a contour, which runs half way between pixels inside and outside."""
    low, high = np.floor(contour).astype(np.int64), np.ceil(contour).astype(np.int64)
    inside = np.where(mask[low[:, 0], low[:, 1]][:, None], low, high)[:-1]
    moved = np.any(inside != np.roll(inside, 1, axis=0), axis=1)
    return (inside[moved] if moved.any() else inside[:1])[:, ::-1]


def _extent(ring: Ring) -> int:
    sides = ring.max(axis=0) - ring.min(axis=0)
    return int((sides[0] + 1) * (sides[1] + 1))


def _bridged(ring: Ring, holes: list[Ring]) -> Ring:
    """One ring of all: the hole nearest to the ring is joined first, so that no bridge crosses another hole."""
    left = list(holes)
    while left:
        tree = cKDTree(ring)
        nearest = [tree.query(hole) for hole in left]
        chosen = int(np.argmin([distances.min() for distances, _ in nearest]))
        distances, places = nearest[chosen]
        start = int(distances.argmin())
        hole, place = np.roll(left.pop(chosen), -start, axis=0), int(places[start])
        ring = np.concatenate([ring[: place + 1], hole, hole[:1], ring[place:]])
    return ring


def _without_straight(ring: Ring) -> Ring:
    """Leave out pixels between two others on a straight way."""
    if len(ring) < 3:
        return ring
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    one_step = np.maximum(np.abs(before).max(axis=1), np.abs(after).max(axis=1)) == 1
    kept = ~(one_step & np.all(before == after, axis=1))
    return ring[kept] if kept.any() else ring
