"""Loops of `weakseg.methods.irnet.path_loss` for the CPU, compiled by numba at their first use and kept on disk.

They do not hold the interpreter lock, so that threads can take one image each.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.uint8]
Indices = NDArray[np.int64]
Sums = NDArray[np.float64]

IGNORE = 255

# Sums may be reordered (that is what makes them vector code), but NaN and infinity keep their meaning.
compiled = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})


@compiled
def search(boundary: Array, path: Indices, y: int, left: int, strongest: Array, place: NDArray[np.int32]) -> None:
    """Find the strongest boundary on the paths from the pixels left, left + 1, ... of row y, and where on the path."""
    strongest[:] = -np.inf
    for i in range(len(path)):
        first = left + path[i, 1]
        along = boundary[y + path[i, 0], first : first + len(strongest)]
        for x in range(len(strongest)):
            weaker = along[x] <= strongest[x]
            strongest[x] = strongest[x] if weaker else along[x]
            place[x] = place[x] if weaker else np.int32(i)


@compiled
def add_affinity(strongest: float, y: int, x: int, kind: int, eps: float, sums: Sums, slopes: Array) -> None:
    """Add a pair whose path is cut most at (y, x): kind 0 background, 1 one class, 2 different classes."""
    one = np.float32(1)
    likely = one + eps - (one - strongest) if kind == 2 else one - strongest + eps
    sums[kind] -= math.log(likely)
    sums[5 + kind] += 1
    slopes[kind, y, x] += -one / likely if kind == 2 else one / likely


@compiled
def add_displacement(
    displacement: Array, y: int, x: int, dy: int, dx: int, kind: int, sums: Sums, shifts: Array
) -> None:
    """Add the pair of (y, x) and (y + dy, x + dx), of kind 0 background or 1 one class."""
    for axis in range(2):
        error = displacement[axis, y, x] - displacement[axis, y + dy, x + dx]
        if kind == 1:
            error -= np.float32(dx if axis else dy)
        sums[3 + kind] += abs(error)
        sign = np.float32(np.sign(error))
        shifts[kind, axis, y, x] += sign
        shifts[kind, axis, y + dy, x + dx] -= sign


@compiled
def add_image(
    boundary: Array,
    displacement: Array,
    labels: Labels,
    pairs: Indices,
    points: Indices,
    starts: Indices,
    eps: float,
    sums: Sums,
    slopes: Array,
    shifts: Array,
) -> None:
    """Add up the terms of one image and their gradients, as `weakseg.methods.irnet.path_loss.Terms` has them.

    Args:
        boundary: (h, w).
        displacement: (2, h, w).
        labels: (h, w).
        pairs: rows (dy, dx, first row, end row, first column, end column) of the sources of every offset, (n, 6).
        points: (y, x) of all points of all paths, (P, 2).
        starts: where among them the path of each offset begins, and the end, (n + 1,).
        eps: added inside the logarithms, float32.
        sums: five sums and three counts, (8,), to add to.
        slopes: (3, h, w), to add to.
        shifts: (2, 2, h, w), to add to.
    """
    for k in range(len(pairs)):
        dy, dx, top, bottom, left, right = pairs[k]
        path = points[starts[k] : starts[k + 1]]
        strongest = np.empty(max(0, right - left), dtype=np.float32)
        place = np.empty(len(strongest), dtype=np.int32)
        for y in range(top, bottom):
            # Vector code along the row: a pair without a label is cheaper to search than to skip.
            search(boundary, path, y, left, strongest, place)
            for x in range(left, right):
                source, target = labels[y, x], labels[y + dy, x + dx]
                if source == IGNORE or target == IGNORE:
                    continue
                kind = 2 if source != target else min(source, 1)
                shift = path[place[x - left]]
                add_affinity(strongest[x - left], y + shift[0], x + shift[1], kind, eps, sums, slopes)
                if kind < 2:
                    add_displacement(displacement, y, x, dy, dx, kind, sums, shifts)
