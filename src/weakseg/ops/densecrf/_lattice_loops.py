"""Loops that build permutohedral lattices, compiled by numba at their first use and kept on disk.

They do not hold the interpreter lock, so that threads can share the work.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weakseg.ops.densecrf._lanes import Floats, Indices, compiled

Keys = NDArray[np.int64]
Counts = NDArray[np.int32]
Flags = NDArray[np.bool_]

# So many points take each step of the search for their simplices together, so many rows that for their neighbours.
_BLOCK = 64


@compiled
def number(
    features: Floats,
    scale: Floats,
    multipliers: Keys,
    steps: Keys,
    vertices: Indices,
    weights: Floats,
    unique: Keys,
    table: Indices,
    start: int,
    count: int,
) -> tuple[int, int]:
    """Find the points' vertices and barycentric weights (n, d + 1), from point `start` on (paper, section 3.1).

    Args:
        features: (n, d) positions.
        scale: (d,) of the features on the way into the hyperplane.
        multipliers: (d + 1,) that make a key of coordinates.
        steps: (d + 1,) what one step along each axis adds to a key.
        vertices: receives the vertices, numbered from 1 in the order of the points.
        weights: receives the weights.
        unique: receives the vertices' keys, by number; room for all that there may be.
        table: the hash table, numbers by slot, 0 where it is free.
        start: a multiple of the block's size.
        count: one more than the vertices so far.

    Returns:
        the next point, before which the table became too full; `count`, grown.
    """
    n, d = features.shape
    rest = np.empty((d + 2, _BLOCK), np.float32)
    cell = np.empty((d + 2, _BLOCK), np.int32)
    rank = np.empty((d + 1, _BLOCK), np.int32)
    ordered = np.empty(d + 1, np.float32)
    step = np.empty(d + 1, np.int64)
    for first in range(start, n, _BLOCK):
        if 4 * (count + _BLOCK * (d + 1)) > len(table):
            return first, count
        size = min(_BLOCK, n - first)
        _round(features[first : first + size], scale, rest, cell, rank)
        for p in range(size):
            key = np.int64(0)
            for j in range(d + 1):
                r = np.uint32(rank[j, p])
                ordered[r] = rest[j, p]
                step[r] = steps[j]
                key += cell[j, p] * multipliers[j]
            key *= d + 1
            last = ordered[0] - np.float32(1)
            for v in range(d + 1):  # each further vertex moves along one axis, in the order of the ranks
                weights[first + p, v] = ordered[d - v] - last
                last = ordered[d - v]
                slot = _slot(unique, table, key)
                if table[slot] == 0:
                    unique[count] = key
                    table[slot] = count
                    count += 1
                vertices[first + p, v] = table[slot]
                key += step[d - v]
    return n, count


@compiled
def _round(features: Floats, scale: Floats, rest: Floats, cell: Counts, rank: Counts) -> None:
    """Find the lattice point of remainder 0 next to each of a block of points (size, d), in units of d + 1.

    Sets its coordinates `cell`, the differences to them `rest` and their ranks, 0 the greatest. All have a row for each
    of the d + 1 coordinates; `rest` and `cell` have one more, for the work.
    """
    size, d = features.shape
    elevated, excess = rest[d + 1], cell[d + 1]
    elevated[:] = 0
    excess[:] = 0
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
            for p in range(_BLOCK):
                less = np.int32(rest[a, p] < rest[b, p])
                rank[a, p] += less
                rank[b, p] += np.int32(1) - less
    for j in range(d + 1):  # back to sum zero: the coordinates that were rounded most give way
        for p in range(_BLOCK):
            rank[j, p] += excess[p]
            turn = np.int32(rank[j, p] < 0) - np.int32(rank[j, p] > d)
            rank[j, p] += turn * np.int32(d + 1)
            cell[j, p] += turn
            rest[j, p] -= np.float32(turn)


@compiled
def _slot(unique: Keys, table: Indices, key: int) -> int:
    """Slot of a key in the hash table, or the free slot where it belongs."""
    last = len(table) - 1
    slot = (key >> 32) & last
    while table[slot] != 0 and unique[table[slot]] != key:
        slot = (slot + 1) & last
    return slot


@compiled
def enter(unique: Keys, table: Indices, copies: Indices, start: int, stop: int) -> int:
    """Enter the keys (rows,) of rows start..stop into a hash table with room for them.

    Rows whose key is there already come into copies (copies, 2), each with the row that was entered.

    Returns:
        the number of copies.
    """
    late = 0
    for row in range(start, stop):
        slot = _slot(unique, table, unique[row])
        if table[slot] == 0:
            table[slot] = row
        else:
            copies[late, 0] = row
            copies[late, 1] = table[slot]
            late += 1
    return late


@compiled
def find_next(unique: Keys, table: Indices, steps: Keys, after: Indices, start: int, stop: int) -> None:
    """Look up the rows that follow rows start..stop along each axis: after (axes, rows), 0 where there is none.

    A block of keys is looked up at once, so that the processor waits for the memory once and not for every key.
    """
    last = len(table) - 1
    found = np.empty(_BLOCK, np.int64)
    open_ = np.empty(_BLOCK, np.int64)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        for axis in range(len(steps)):
            step = steps[axis]
            for p in range(size):
                found[p] = table[((unique[first + p] + step) >> 32) & last]
            count = 0
            for p in range(size):
                row = found[p]
                same = unique[row] == unique[first + p] + step
                after[axis, first + p] = row if same else 0
                open_[count] = p
                count += row != 0 and not same
            for q in range(count):
                p = open_[q]
                after[axis, first + p] = table[_slot(unique, table, unique[first + p] + step)]


@compiled
def draw_lines(after: Indices, copies: Indices, inner: Flags, line: Indices) -> int:
    """Write down the rows along one axis, line by line; those without neighbours are left out.

    Args:
        after: the row after each row, 0 where there is none; those of row 0 and of the copies become 0.
        copies: (copies, 2) copies, which have no part in it, and their rows.
        inner: (rows,) False; becomes True for the rows that follow another.
        line: receives the rows; each line ends with a 0.

    Returns:
        number of places written.
    """
    after[0] = 0
    for late in range(len(copies)):
        after[copies[late, 0]] = 0
    for row in range(len(after)):
        inner[after[row]] = True
    starts = np.empty(len(after), np.int64)
    count = 0
    for row in range(1, len(after)):
        starts[count] = row
        count += after[row] != 0 and not inner[row]
    place = 0
    for here in starts[:count]:
        while here != 0:
            line[place] = here
            place += 1
            here = after[here]
        line[place] = 0
        place += 1
    return place
