"""Loops that filter values on permutohedral lattices, compiled by numba at their first use and kept on disk.

They do not hold the interpreter lock, so that threads can share the work. The values of n points are (n, channels), the
channels padded to groups of `LANES`; those of a lattice's rows are (groups, rows, LANES).
"""

from __future__ import annotations

import numpy as np

from weakseg.ops.densecrf._lanes import LANES, Floats, Indices, add, compiled, fill, inlined, load, multiply, store


@compiled
def splat(vertices: Indices, weights: Floats, values: Floats, rows: Floats) -> None:
    """Add the values of points to the rows of their vertices."""
    corners = vertices.shape[1]
    for group in range(len(rows)):
        if corners == 6:  # the compiler unrolls loops whose length it knows
            _splat(vertices, weights, values, rows, group, 6)
        elif corners == 3:
            _splat(vertices, weights, values, rows, group, 3)
        else:
            _splat(vertices, weights, values, rows, group, corners)


@compiled
def _splat(vertices: Indices, weights: Floats, values: Floats, rows: Floats, group: int, corners: int) -> None:
    first = group * rows.shape[1]
    for i in range(len(vertices)):
        value = load(values, i * values.shape[1] + group * LANES)
        for v in range(corners):
            place = (first + vertices[i, v]) * LANES
            store(rows, place, add(load(rows, place), multiply(fill(weights[i, v]), value)))


@inlined
def slice_(vertices: Indices, weights: Floats, strength: float, rows: Floats, base: Floats, values: Floats) -> None:
    """Set the values of points to their base (of the same shape) and `strength` times what their vertices' rows hold.

    Values and base may be the same array.
    """
    corners = vertices.shape[1]
    for group in range(len(rows)):
        if corners == 6:
            _slice(vertices, weights, strength, rows, base, values, group, 6)
        elif corners == 3:
            _slice(vertices, weights, strength, rows, base, values, group, 3)
        else:
            _slice(vertices, weights, strength, rows, base, values, group, corners)


@compiled
def _slice(
    vertices: Indices,
    weights: Floats,
    strength: float,
    rows: Floats,
    base: Floats,
    values: Floats,
    group: int,
    corners: int,
) -> None:
    first = group * rows.shape[1]
    factor = fill(strength)
    for i in range(len(vertices)):
        message = fill(0)
        for v in range(corners):
            message = add(message, multiply(fill(weights[i, v]), load(rows, (first + vertices[i, v]) * LANES)))
        place = i * values.shape[1] + group * LANES
        store(values, place, add(load(base, place), multiply(factor, message)))


@compiled
def normalize_weights(vertices: Indices, weights: Floats, rows: Floats) -> None:
    """Divide the weights of each point by √(mass + 1e-20), where its mass is what it slices from the first channel."""
    for i in range(len(vertices)):
        mass = np.float32(1e-20)
        for v in range(vertices.shape[1]):
            mass += weights[i, v] * rows[0, vertices[i, v], 0]
        factor = np.float32(1) / np.sqrt(mass)
        for v in range(vertices.shape[1]):
            weights[i, v] *= factor


@compiled
def blur(rows: Floats, group: int, line: Indices) -> None:
    """Blur a group of rows in place with [½ 1 ½] along the lines of one axis.

    Row 0 is zero and ends each line: it is the neighbour of the lines' last rows, and stays zero.
    """
    if len(line) == 0:
        return
    first = group * rows.shape[1]
    before, here = fill(0), load(rows, (first + line[0]) * LANES)
    for place in range(len(line) - 1):
        after = load(rows, (first + line[place + 1]) * LANES)
        half = fill(0.5 if line[place] != 0 else 0)
        store(rows, (first + line[place]) * LANES, add(here, multiply(half, add(before, after))))
        before, here = here, after


@compiled
def gather_copies(rows: Floats, group: int, copies: Indices, back: bool) -> None:
    """Add the copies of rows to their rows, or set them `back`; copies (copies, 2) has the copy's row first."""
    first = group * rows.shape[1]
    for c in range(len(copies)):
        copy, own = (first + copies[c, 0]) * LANES, (first + copies[c, 1]) * LANES
        if back:
            store(rows, copy, load(rows, own))
        else:
            store(rows, own, add(load(rows, own), load(rows, copy)))
