"""Permutohedral lattice: Gaussian filtering in many dimensions on the CPU, in time linear in the number of points.

Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice", 2010. The points are embedded
in the hyperplane of d + 1 coordinates that sum to zero, each value is *splatted* with barycentric weights on the d + 1
vertices of its simplex, the vertices are *blurred* with [1 2 1] along each of the d + 1 axes, and the points *slice*
their values back with the same weights. The result approximates Σ_j exp(−½‖f_i − f_j‖²) v_j up to one constant factor.

A lattice is built once and filters as often as wanted. The loops are compiled by numba at their first use and cached on
disk.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from weakseg.ops.densecrf._permutohedral_loops import (
    LANES,
    Floats,
    Indices,
    Keys,
    blur,
    collect,
    enter,
    find_neighbours,
    number,
    place,
    simplices,
    slice_,
    splat,
)
from weakseg.ops.densecrf.workers import Workers

# Fewer rows are blurred faster than another thread wakes up.
_ROWS = 1 << 15

# A vertex is known by the sum of its coordinates times these odd numbers, modulo 2^64. One addition then steps to its
# neighbour, and for the coordinates of images two vertices share a key with a probability below 1e-4.
_MULTIPLIERS = (
    0x6A09E667F3BCC909,
    0x3B67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0x254FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x1B05688C2B3E6C1F,
)


@dataclass(frozen=True)
class Lattice:
    """Where n points lie among the vertices of a permutohedral lattice.

    Attributes:
        vertices: (n, v) rows of the vertices around each point; v = d + 1, or the sum over joined lattices.
        weights: (n, v) weight of each point at its vertices, for splatting and slicing alike.
        neighbours: for each of the lattices that were joined or stacked, in the order of their rows: (axes, 2, rows)
            the rows before and after each vertex along each axis, counted within that lattice. Its first row is
            "nowhere": it stays zero and stands for the neighbours that no point touches.
    """

    vertices: Indices
    weights: Floats
    neighbours: tuple[Indices, ...]

    @property
    def starts(self) -> list[int]:
        """The first row of each of the lattices in `neighbours`, then the number of rows in all."""
        return [0, *itertools.accumulate(table.shape[2] for table in self.neighbours)]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.starts[-1]


def build_lattice(features: Floats, workers: Workers) -> Lattice:
    """Place points in a lattice that filters with standard deviation 1 in every feature.

    Args:
        features: (n, d) float32 in C order, n ≥ 1, d in 1..6.
        workers: the threads to use.
    """
    count, dimensions = features.shape
    multipliers = np.array([*_MULTIPLIERS[:dimensions], 0], np.int64)
    steps = multipliers.sum() - (dimensions + 1) * multipliers
    keys = np.empty((count, dimensions + 1), np.int64)
    weights = np.empty((count, dimensions + 1), np.float32)
    # √((j+1)(j+2)) is the length of the hyperplane's j-th axis; splat, blur and slice together have variance 2/3 in it.
    scale = np.array([math.sqrt(2 / 3 / ((j + 1) * (j + 2))) for j in range(dimensions)], np.float32)
    workers.run(simplices, count, features, scale, multipliers, steps, keys, weights)
    vertices = np.empty((count, dimensions + 1), np.uint32)
    unique, table = _numbered(keys, vertices)
    neighbours = np.empty((dimensions + 1, 2, len(unique)), np.uint32)
    workers.run(find_neighbours, len(unique), unique, table, steps, neighbours)
    return Lattice(vertices, weights, (neighbours,))


def normalize(lattice: Lattice, workers: Workers) -> Lattice:
    """Scale the weights: the filter K becomes D^-½ K D^-½ with D = K·1, the symmetric normalisation of dense CRFs."""
    mass = Filter(lattice, 1, workers)(np.ones((len(lattice.vertices), 1), np.float32))
    return replace(lattice, weights=lattice.weights / np.sqrt(mass + np.float32(1e-20)))


def join(lattices: Sequence[Lattice], strengths: Sequence[float], workers: Workers) -> Lattice:
    """Make the lattice whose filter is Σ_m strength_m · filter_m, from lattices of the same points; strengths ≥ 0."""
    first_rows = [0, *itertools.accumulate(lattice.rows for lattice in lattices)]
    first_columns = [0, *itertools.accumulate(lattice.vertices.shape[1] for lattice in lattices)]
    count = len(lattices[0].vertices)
    vertices = np.empty((count, first_columns[-1]), np.uint32)
    weights = np.empty((count, first_columns[-1]), np.float32)
    for lattice, strength, row, column in zip(lattices, strengths, first_rows, first_columns, strict=False):
        factor = np.float32(math.sqrt(strength))
        workers.run(place, count, lattice.vertices, lattice.weights, row, factor, vertices, weights, column)
    return Lattice(vertices, weights, tuple(table for lattice in lattices for table in lattice.neighbours))


def stack(lattices: Sequence[Lattice]) -> Lattice:
    """Make one lattice of the points of several with the same v; each keeps to its own vertices."""
    first_rows = [0, *itertools.accumulate(lattice.rows for lattice in lattices[:-1])]
    return Lattice(
        np.concatenate([x.vertices + np.uint32(row) for x, row in zip(lattices, first_rows, strict=True)]),
        np.concatenate([lattice.weights for lattice in lattices]),
        tuple(table for lattice in lattices for table in lattice.neighbours),
    )


class Filter:
    """The buffers to filter some number of channels on a lattice, again and again.

    Attributes:
        lattice: the lattice.
        workers: the threads to use.
        parts: (shares, rows, channels padded to a multiple of 4) what each share of the points has splatted; zero after
            `blur`.
        rows: (rows, channels padded) the blurred vertices.
    """

    def __init__(self, lattice: Lattice, channels: int, workers: Workers) -> None:
        self.lattice = lattice
        self.workers = workers
        self.parts = np.zeros((workers.shares, lattice.rows, -(-channels // LANES) * LANES), np.float32)
        self.rows = np.zeros_like(self.parts[0])
        self._spare = np.empty_like(self.rows)

    def __call__(self, values: Floats) -> Floats:
        """Filter values (n, channels); returns the same shape."""
        count, channels = values.shape
        padded = np.zeros((count, self.rows.shape[1]), np.float32)
        padded[:, :channels] = values
        points = (self.lattice.vertices, self.lattice.weights, padded)
        self.workers.run(splat, count, *points, private=self.parts)
        self.blur()
        self.workers.run(slice_, count, *points, self.rows)
        return padded[:, :channels]

    def blur(self) -> None:
        """Move the sum of `parts` into `rows`, clear `parts`, and blur the rows along all axes in turn."""
        starts = self.lattice.starts
        calls = list(zip(self.lattice.neighbours, starts[:-1], starts[1:], strict=True))
        if any(stop - start >= 2 * _ROWS for _, start, stop in calls):  # threads share the rows
            for call in calls:
                self._blur(*call)
        else:  # threads share the lattices
            self.workers.each(self._blur, calls)

    def _blur(self, neighbours: Indices, start: int, stop: int) -> None:
        count = stop - start
        rows, spare = self.rows[start:stop], self._spare[start:stop]
        self.workers.run(lambda a, b: collect(self.parts, self.rows, start + a, start + b), count, grain=_ROWS)
        for before, after in neighbours:
            self.workers.run(blur, count, rows, before, after, spare, grain=_ROWS)
            rows, spare = spare, rows
        if len(neighbours) % 2:  # the result lies in the spare rows
            spare[:] = rows


def _numbered(keys: Keys, vertices: Indices) -> tuple[Keys, Indices]:
    """Number the distinct keys from 1 in the order of the points.

    Returns:
        the keys by row (row 0 is nobody's), and the hash table: row by slot, 0 where free, at most a quarter full.
    """
    unique = np.zeros(1 << 13, np.int64)
    table = np.zeros(4 * len(unique), np.uint32)
    done, count = number(keys, vertices, unique, table, 0, 1)
    while done < len(keys):
        unique = np.concatenate([unique, np.zeros_like(unique)])
        table = np.zeros(4 * len(unique), np.uint32)
        enter(unique, count, table)
        done, count = number(keys, vertices, unique, table, done, count)
    return unique[:count], table
