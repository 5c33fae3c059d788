"""Loops of `weakseg.ops.densecrf.permutohedral` for the CPU, compiled by numba at their first use and kept on disk.

They run over the points or rows start..stop and do not hold the interpreter lock, so that threads can share the range.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Keys = NDArray[np.int64]
Counts = NDArray[np.int32]

# The number of channels is padded to a multiple of this constant: inner loops that long become vector code.
LANES = 4
# From here on a loop over all channels is faster than one over groups of four that stay in registers.
_WIDE = 16
# So many points take each step of the search for their simplices together.
_BLOCK = 64

# Sums may be reordered (that is what makes them vector code), but NaN and infinity keep their meaning.
compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})


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
    """Move the sum of the parts (shares, rows, channels) into rows start..stop; the parts become zero."""
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
    rest = np.empty((d + 1, _BLOCK), np.float32)
    cell = np.empty((d + 1, _BLOCK), np.int32)
    rank = np.empty((d + 1, _BLOCK), np.int32)
    axis = np.empty(d + 1, np.int32)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        _round(features[first : first + size], scale, rest, cell, rank)
        for p in range(size):
            key = np.int64(0)
            for j in range(d + 1):
                axis[rank[j, p]] = j
                key += (d + 1) * cell[j, p] * multipliers[j]
            keys[first + p, 0] = key
            weights[first + p, 0] = np.float32(1) - rest[axis[0], p] + rest[axis[d], p]
            for v in range(1, d + 1):  # each further vertex moves along one axis, in the order of the ranks
                j = axis[d + 1 - v]
                key += steps[j]
                keys[first + p, v] = key
                weights[first + p, v] = rest[axis[d - v], p] - rest[j, p]


@compiled
def _round(features: Floats, scale: Floats, rest: Floats, cell: Counts, rank: Counts) -> None:
    """Find the lattice point of remainder 0 next to each of a block of points (size, d), in units of d + 1.

    Sets, each (d + 1, block): its coordinates `cell`, the differences to them `rest`, their ranks, 0 the greatest.
    """
    size, d = features.shape
    elevated = np.zeros(size, np.float32)
    excess = np.zeros(size, np.int32)
    for j in range(d, -1, -1):  # into the hyperplane, and there to the nearest whole numbers
        for p in range(size):
            step = features[p, j - 1] * scale[j - 1] if j > 0 else np.float32(0)
            coordinate = elevated[p] - np.float32(j) * step
            elevated[p] += step
            whole = np.floor(coordinate + np.float32(0.5))
            rest[j, p] = coordinate - whole
            cell[j, p] = np.int32(whole)
            excess[p] += cell[j, p]
    rank[:] = 0
    for a in range(d):
        for b in range(a + 1, d + 1):
            for p in range(size):
                less = np.int32(rest[a, p] < rest[b, p])
                rank[a, p] += less
                rank[b, p] += np.int32(1) - less
    for j in range(d + 1):  # back to sum zero: the coordinates that were rounded most give way
        for p in range(size):
            rank[j, p] += excess[p]
            turn = np.int32(rank[j, p] < 0) - np.int32(rank[j, p] > d)
            rank[j, p] += turn * np.int32(d + 1)
            cell[j, p] += turn
            rest[j, p] -= np.float32(turn)


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


@compiled
def place(
    vertices: Indices,
    weights: Floats,
    first_row: int,
    factor: np.float32,
    joined_vertices: Indices,
    joined_weights: Floats,
    column: int,
    start: int,
    stop: int,
) -> None:
    """Copy points start..stop into columns of a joined lattice, with rows from `first_row` on and scaled weights."""
    for i in range(start, stop):
        for v in range(vertices.shape[1]):
            joined_vertices[i, column + v] = vertices[i, v] + np.uint32(first_row)
            joined_weights[i, column + v] = weights[i, v] * factor
