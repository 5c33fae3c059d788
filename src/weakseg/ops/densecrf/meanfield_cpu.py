"""Mean field over permutohedral lattices in loops compiled by numba; see `weakseg.ops.densecrf.meanfield`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from weakseg.ops.densecrf._filter_loops import slice_, splat
from weakseg.ops.densecrf._lanes import (
    LANES,
    Floats,
    Indices,
    add,
    compiled,
    fill,
    greater,
    highest,
    inlined,
    load,
    multiply,
    store,
    total,
)
from weakseg.ops.densecrf.permutohedral import Filter, Lattice, blur_all
from weakseg.ops.densecrf.workers import Workers

# e^-60 is nothing beside 1, and its products with weights stay clear of the slow denormal numbers.
_LOWEST = np.float32(-60)
# So many points are sliced, normalised and splatted in one go that they stay in the nearest cache.
_BLOCK = 256
# Of 2^x: ln(2)^n / n! for n = 5 .. 0.
_SERIES = tuple(np.float32(math.log(2) ** n / math.factorial(n)) for n in range(5, -1, -1))


def lattice_mean_field(
    unary: Floats, kernels: Sequence[tuple[Lattice, float]], iterations: int, workers: Workers, posterior: Floats
) -> None:
    """Infer the posteriors of one image over its lattices.

    Args:
        unary: (K, n) float32 energies in C order.
        kernels: lattices of its n points and their weights, one or more.
        iterations: number of updates after Q = softmax(−U).
        workers: the threads to use.
        posterior: (K, n) in C order, receives the posteriors.
    """
    channels, count = unary.shape
    filters = [Filter(lattice, channels) for lattice, _ in kernels]
    strengths = np.array([strength for _, strength in kernels], np.float32)
    support = np.empty((count, len(filters[0].rows) * LANES), np.float32)
    spans = list(itertools.pairwise(kernels[0][0].shares))
    parts = list(zip(*(lattice.parts() for lattice, _ in kernels), strict=True))

    def update(share: int) -> None:
        start, stop = spans[share]
        vertices, weights = zip(*parts[share], strict=True)
        rows, sums = tuple(one.rows for one in filters), tuple(one.sums for one in filters)
        points = (unary, support[start:stop], posterior, start)
        _update(vertices, weights, strengths, rows, sums, *points, step > 0, step < iterations)

    for step in range(iterations + 1):
        workers.map(update, range(len(spans)))
        if step < iterations:
            blur_all(filters, workers)


@compiled
def _update(
    vertices: tuple[Indices, ...],
    weights: tuple[Floats, ...],
    strengths: Floats,
    rows: tuple[Floats, ...],
    sums: tuple[Floats, ...],
    unary: Floats,
    support: Floats,
    posterior: Floats,
    first: int,
    receive: bool,
    send: bool,
) -> None:
    """Receive the messages (not in the first step), set the posteriors, send them out (not in the last).

    Vertices, weights and support are those of the points from `first` on. The first step sets the support: −unary with
    the channels last, where further channels have no chance.
    """
    n, channels = support.shape
    block = np.empty((_BLOCK, channels), np.float32)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        values, base = block[: stop - start], support[start:stop]
        if receive:
            for m in range(len(vertices)):
                slice_(vertices[m][start:stop], weights[m][start:stop], strengths[m], rows[m], base, values)
                base = values
        else:
            _begin(unary, first + start, base, values)
        _softmax(values)
        if send:
            for m in range(len(vertices)):
                splat(vertices[m][start:stop], weights[m][start:stop], values, sums[m])
        else:
            for k in range(len(unary)):
                for i in range(len(values)):
                    posterior[k, first + start + i] = values[i, k]


@inlined
def _begin(unary: Floats, first: int, support: Floats, values: Floats) -> None:
    """Set support and values of the points from `first` on, both (points, channels), to −unary, transposed."""
    for i in range(len(support)):
        for k in range(support.shape[1]):
            support[i, k] = -unary[k, first + i] if k < len(unary) else -np.inf
            values[i, k] = support[i, k]


@compiled
def _softmax(values: Floats) -> None:
    """Apply the softmax to each row of values (n, channels), in place."""
    n, channels = values.shape
    for i in range(0, n * channels, channels):
        most = load(values, i)
        for k in range(LANES, channels, LANES):
            most = greater(most, load(values, i + k))
        down = fill(-highest(most))
        for k in range(0, channels, LANES):
            store(values, i + k, add(load(values, i + k), down))
    flat = values.reshape(-1)
    for e in range(len(flat)):
        flat[e] = _exp(flat[e])
    for i in range(0, n * channels, channels):
        mass = load(values, i)
        for k in range(LANES, channels, LANES):
            mass = add(mass, load(values, i + k))
        factor = fill(np.float32(1) / total(mass))
        for k in range(0, channels, LANES):
            store(values, i + k, multiply(load(values, i + k), factor))


@inlined
def _exp(x: np.float32) -> np.float32:
    """e^x for x ≤ 0, to 3e-7 of itself, in steps that become vector code: 2^whole by bits, 2^part by a series."""
    power = max(x, _LOWEST) * np.float32(1.442695040888963)
    whole = np.floor(power + np.float32(0.5))
    part = power - whole
    series = np.float32(0.000154035304)
    for coefficient in _SERIES:
        series = series * part + coefficient
    bits = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return series * np.int32(bits).view(np.float32)
