"""Loops that filter values on permutohedral lattices, compiled by numba at their first use and kept on disk.

They do not hold the interpreter lock, so that threads can share the work. Channels are padded to whole vectors.
"""

from __future__ import annotations

import numpy as np

from weakseg.ops.densecrf._lanes import LANES, Floats, Indices, add, compiled, fill, inlined, load, multiply, store


@compiled
def splat(vertices: Indices, weights: Floats, values: Floats, rows: Floats) -> None:
    """Add the values (n, channels) of points to the rows (rows, channels) of their vertices."""
    channels, corners = values.shape[1], vertices.shape[1]
    if channels == LANES and corners == 6:  # the compiler unrolls loops whose length it knows
        _splat(vertices, weights, values, rows, LANES, 6)
    elif channels == LANES and corners == 3:
        _splat(vertices, weights, values, rows, LANES, 3)
    else:
        _splat(vertices, weights, values, rows, channels, corners)


@compiled
def _splat(vertices: Indices, weights: Floats, values: Floats, rows: Floats, channels: int, corners: int) -> None:
    for i in range(len(vertices)):
        for k in range(0, channels, LANES):
            value = load(values, i * channels + k)
            for v in range(corners):
                place = vertices[i, v] * channels + k
                store(rows, place, add(load(rows, place), multiply(fill(weights[i, v]), value)))


@inlined
def slice_(vertices: Indices, weights: Floats, strength: float, rows: Floats, base: Floats, values: Floats) -> None:
    """Set the values of points to their base, both (n, channels), and `strength` times what their vertices' rows hold.

    Values and base may be the same array.
    """
    channels, corners = values.shape[1], vertices.shape[1]
    if channels == LANES and corners == 6:
        _slice(vertices, weights, strength, rows, base, values, LANES, 6)
    elif channels == LANES and corners == 3:
        _slice(vertices, weights, strength, rows, base, values, LANES, 3)
    else:
        _slice(vertices, weights, strength, rows, base, values, channels, corners)


@compiled
def _slice(
    vertices: Indices,
    weights: Floats,
    strength: float,
    rows: Floats,
    base: Floats,
    values: Floats,
    channels: int,
    corners: int,
) -> None:
    factor = fill(strength)
    for i in range(len(vertices)):
        for k in range(0, channels, LANES):
            message = fill(0)
            for v in range(corners):
                row = load(rows, vertices[i, v] * channels + k)
                message = add(message, multiply(fill(weights[i, v]), row))
            place = i * channels + k
            store(values, place, add(load(base, place), multiply(factor, message)))


@compiled
def normalize_weights(vertices: Indices, weights: Floats, rows: Floats) -> None:
    """Divide the weights of each point by √(mass + 1e-20), where its mass is what it slices from the rows."""
    for i in range(len(vertices)):
        mass = np.float32(1e-20)
        for v in range(vertices.shape[1]):
            mass += weights[i, v] * rows[vertices[i, v], 0]
        factor = np.float32(1) / np.sqrt(mass)
        for v in range(vertices.shape[1]):
            weights[i, v] *= factor


@compiled
def blur(rows: Floats, line: Indices, start: int, stop: int) -> None:
    """Blur rows (rows, channels) in place with [½ 1 ½] along the lines at places start..stop.

    Row 0 is zero and ends each line: it is the neighbour of the lines' last rows, and stays zero.
    """
    if start == stop:
        return
    if rows.shape[1] == LANES:
        _blur_four(rows, line, start, stop)
        return
    channels = rows.shape[1]
    before = np.empty(channels, np.float32)
    before[:] = 0
    for place in range(start, stop - 1):
        here, after = line[place] * channels, line[place + 1] * channels
        half = fill(0.5 if here != 0 else 0)
        for k in range(0, channels, LANES):
            value = load(rows, here + k)
            store(rows, here + k, add(value, multiply(half, add(load(before, k), load(rows, after + k)))))
            store(before, k, value)


@compiled
def _blur_four(rows: Floats, line: Indices, start: int, stop: int) -> None:
    """The same for four channels, which stay in registers from one row to the next."""
    before, here = fill(0), load(rows, line[start] * LANES)
    for place in range(start, stop - 1):
        after = load(rows, line[place + 1] * LANES)
        half = fill(0.5 if line[place] != 0 else 0)
        store(rows, line[place] * LANES, add(here, multiply(half, add(before, after))))
        before, here = here, after


@compiled
def gather_copies(rows: Floats, copies: Indices, back: bool) -> None:
    """Add the copies of rows to their rows, or set them `back`; copies (copies, 2) has the copy's row first."""
    channels = rows.shape[1]
    for c in range(len(copies)):
        for k in range(0, channels, LANES):
            copy, own = copies[c, 0] * channels + k, copies[c, 1] * channels + k
            if back:
                store(rows, copy, load(rows, own))
            else:
                store(rows, own, add(load(rows, own), load(rows, copy)))
