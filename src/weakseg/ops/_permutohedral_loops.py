"""Loops of `weakseg.ops.permutohedral` for the CPU, compiled by numba at their first use and kept on disk.

They run over the points or rows start..stop and do not hold the interpreter lock, so that threads can share the range.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Keys = NDArray[np.int64]

# The number of channels is padded to a multiple of this constant: inner loops that long become vector code.
LANES = 4
# From here on a loop over all channels is faster than one over groups of four that stay in registers.
_WIDE = 16

# Sums may be reordered (that is what makes them vector code), but NaN and infinity keep their meaning.
compiled = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"})


@compiled
def splat(vertices: Indices, weights: Floats, values: Floats, rows: Floats, start: int, stop: int) -> None:
    """Add the values (n, channels) of points start..stop to the rows (rows, channels) of their vertices."""
    for i in range(start, stop):
        value = values[i]
        for v in range(vertices.shape[1]):
            weight = weights[i, v]
            row = rows[vertices[i, v]]
            for k in range(len(value)):
                row[k] += weight * value[k]


@compiled
def slice_(vertices: Indices, weights: Floats, values: Floats, rows: Floats, start: int, stop: int) -> None:
    """Set the values (n, channels) of points start..stop from the rows (rows, channels) of their vertices."""
    if values.shape[1] >= _WIDE:
        _slice_wide(vertices, weights, values, rows, start, stop)
        return
    total = np.empty(LANES, np.float32)
    for i in range(start, stop):
        for g in range(values.shape[1] // LANES):
            total[:] = 0
            for v in range(vertices.shape[1]):
                row = vertices[i, v]
                weight = weights[i, v]
                for k in range(LANES):
                    total[k] += weight * rows[row, g * LANES + k]
            for k in range(LANES):
                values[i, g * LANES + k] = total[k]


@compiled
def _slice_wide(vertices: Indices, weights: Floats, values: Floats, rows: Floats, start: int, stop: int) -> None:
    for i in range(start, stop):
        value = values[i]
        for k in range(len(value)):
            value[k] = 0
        for v in range(vertices.shape[1]):
            weight = weights[i, v]
            row = rows[vertices[i, v]]
            for k in range(len(value)):
                value[k] += weight * row[k]


@compiled
def collect(parts: Floats, rows: Floats, start: int, stop: int) -> None:
    """Move the sum of the threads' parts (threads, rows, channels) into rows start..stop."""
    for row in range(start, stop):
        for k in range(rows.shape[1]):
            total = np.float32(0)
            for part in range(len(parts)):
                total += parts[part, row, k]
                parts[part, row, k] = 0
            rows[row, k] = total


@compiled
def blur(rows: Floats, before: Indices, after: Indices, blurred: Floats, start: int, stop: int) -> None:
    """Blur rows start..stop with [½ 1 ½] along one axis."""
    for i in range(start, stop):
        a, b = before[i], after[i]
        for g in range(rows.shape[1] // LANES):
            for k in range(g * LANES, g * LANES + LANES):
                blurred[i, k] = rows[i, k] + np.float32(0.5) * (rows[a, k] + rows[b, k])


@compiled
def simplices(
    features: Floats, scale: Floats, multipliers: Keys, steps: Keys, keys: Keys, weights: Floats, start: int, stop: int
) -> None:
    """Find the keys (n, d + 1) of each point's vertices and its barycentric weights (paper, section 3.1)."""
    d = features.shape[1]
    rest = np.empty(d + 1, np.float32)
    cell = np.empty(d + 1, np.int32)
    rank = np.empty(d + 1, np.int32)
    axis = np.empty(d + 1, np.int32)
    for i in range(start, stop):
        elevated = np.float32(0)
        excess = np.int32(0)
        for j in range(d, -1, -1):  # into the hyperplane, in units of d + 1, and there to the nearest whole numbers
            step = features[i, j - 1] * scale[j - 1] if j > 0 else np.float32(0)
            coordinate = elevated - np.float32(j) * step
            elevated += step
            whole = np.floor(coordinate + np.float32(0.5))
            rest[j] = coordinate - whole
            cell[j] = np.int32(whole)
            excess += cell[j]
            rank[j] = 0
        for a in range(d):
            for b in range(a + 1, d + 1):
                less = np.int32(rest[a] < rest[b])
                rank[a] += less
                rank[b] += np.int32(1) - less
        key = np.int64(0)
        for j in range(d + 1):  # back to sum zero: the coordinates that were rounded most give way
            position = rank[j] + excess
            turn = np.int32(position < 0) - np.int32(position > d)
            rest[j] -= np.float32(turn)
            axis[position + turn * (d + 1)] = j
            key += (d + 1) * (cell[j] + turn) * multipliers[j]
        keys[i, 0] = key
        weights[i, 0] = np.float32(1) - rest[axis[0]] + rest[axis[d]]
        for v in range(1, d + 1):  # each further vertex moves along one axis, in the order of the ranks
            j = axis[d + 1 - v]
            key += steps[j]
            keys[i, v] = key
            weights[i, v] = rest[axis[d - v]] - rest[j]


@compiled
def number(keys: Keys, vertices: Indices, unique: Keys, table: Indices, start: int, count: int) -> tuple[int, int]:
    """Number the keys of the points from `start` on; stop where `unique` may overflow: (next point, rows so far)."""
    for i in range(start, len(keys)):
        if count + keys.shape[1] > len(unique):
            return i, count
        for v in range(keys.shape[1]):
            slot = _slot(unique, table, keys[i, v])
            if table[slot] == 0:
                unique[count] = keys[i, v]
                table[slot] = count
                count += 1
            vertices[i, v] = table[slot]
    return len(keys), count


@compiled
def enter(unique: Keys, count: int, table: Indices) -> None:
    """Enter the first `count` keys into an empty hash table."""
    for row in range(1, count):
        table[_slot(unique, table, unique[row])] = row


@compiled
def _slot(unique: Keys, table: Indices, key: int) -> int:
    """Slot of a key in the hash table, or the free slot where it belongs."""
    last = len(table) - 1
    slot = (key >> 32) & last
    while table[slot] != 0 and unique[table[slot]] != key:
        slot = (slot + 1) & last
    return slot


@compiled
def find_neighbours(unique: Keys, table: Indices, steps: Keys, neighbours: Indices, start: int, stop: int) -> None:
    """Look up the rows before and after rows start..stop along each axis; 0, "nowhere", where there is none."""
    for row in range(start, stop):
        for axis in range(len(steps)):
            for side in range(2):
                key = unique[row] + (2 * side - 1) * steps[axis]
                neighbours[axis, side, row] = table[_slot(unique, table, key)] if row > 0 else 0
