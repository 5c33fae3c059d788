"""Loops of `weakseg.ops.pair_distance` for the CPU, compiled by numba at first use (about a second per process).

One thread: training forks data loader workers, which numba's thread pools do not survive.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from weakseg.ops.pairs import Border, pair_offsets, pair_windows

Array = NDArray[np.float32]

# Sums may be reordered (that is what makes them vector code), but NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}


def geometry(size: tuple[int, int], radius: int, border: Border) -> NDArray[np.int64]:
    """Rows (dy, dx, first row, end row, first column, end column) of the sources of every offset: (n, 6)."""
    windows = pair_windows(size, radius, border)
    rows = [
        (dy, dx, window.source[0].start, window.source[0].stop, window.source[1].start, window.source[1].stop)
        for (dy, dx), window in zip(pair_offsets(radius), windows, strict=True)
    ]
    return np.array(rows, dtype=np.int64)


@cache
def forward() -> Any:
    """Compiled function (features (N, h, w, C), geometry, distance (N, n, h, w) to fill)."""
    return njit(fastmath=_FAST)(_forward)


@cache
def backward() -> Any:
    """Compiled function (features (N, h, w, C), gradient (N, n, h, w), geometry, result (N, h, w, C) to add to)."""
    return njit(fastmath=_FAST)(_backward)


def _forward(features: Array, pairs: NDArray[np.int64], distance: Array) -> None:
    batch, height, width, channels = features.shape
    for n in range(batch):
        for y in range(height):
            for x in range(width):
                for k in range(len(pairs)):
                    dy, dx, top, bottom, left, right = pairs[k]
                    if top <= y < bottom and left <= x < right:
                        total = np.float32(0)
                        for c in range(channels):
                            total += abs(features[n, y, x, c] - features[n, y + dy, x + dx, c])
                        distance[n, k, y, x] = total


def _backward(features: Array, gradient: Array, pairs: NDArray[np.int64], result: Array) -> None:
    batch, height, width, channels = features.shape
    zero = np.float32(0)
    for n in range(batch):
        for y in range(height):
            for x in range(width):
                for k in range(len(pairs)):
                    dy, dx, top, bottom, left, right = pairs[k]
                    if not (top <= y < bottom and left <= x < right):
                        continue
                    slope = gradient[n, k, y, x]
                    if slope == 0:  # most pairs of a training map have no label
                        continue
                    for c in range(channels):
                        difference = features[n, y, x, c] - features[n, y + dy, x + dx, c]
                        share = slope if difference > 0 else (-slope if difference < 0 else zero)
                        result[n, y, x, c] += share
                        result[n, y + dy, x + dx, c] -= share
