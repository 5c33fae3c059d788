"""Permutohedral lattice: Gaussian filtering in many dimensions on the CPU, in time linear in the number of points.

Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice", 2010. The points are embedded
in the hyperplane of d + 1 coordinates that sum to zero, each value is *splatted* with barycentric weights on the d + 1
vertices of its simplex, the vertices are *blurred* with [1 2 1] along each of the d + 1 axes, and the points *slice*
their values back with the same weights. The result approximates Σ_j exp(−½‖f_i − f_j‖²) v_j up to one constant factor.

A lattice is built once and filters as often as wanted. The loops are compiled by numba at their first use and cached on
disk. The points are cut into a few shares that threads splat side by side, each on rows of its own. The cuts depend on
nothing but the number of points, so results are the same with any number of threads.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weakseg.ops.densecrf._filter_loops import blur, gather_copies, normalize_weights, slice_, splat
from weakseg.ops.densecrf._lanes import LANES, Floats, Indices
from weakseg.ops.densecrf._lattice_loops import Keys, draw_lines, enter, find_next, number
from weakseg.ops.densecrf.workers import Workers

# Points are cut into shares of no fewer than this, and into no more shares than that.
_POINTS, _SHARES = 4096, 4
# Fewer floats than this are blurred faster than another thread wakes up.
_FEW = 1 << 18
# Slots of the first hash table of a share.
_SLOTS = 1 << 15

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
        vertices: (n, d + 1) rows of the vertices around each point.
        weights: (n, d + 1) weight of each point at its vertices, for splatting and slicing alike.
        shares: first point of each share, then n.
        lines: for each of the d + 1 axes, the rows in the order of the axis, line by line, with a 0 behind each line;
            rows without neighbours are left out.
        copies: (copies, 2). A vertex of several shares has a row for each: the further one, then the first one.
        rows: number of rows. Row 0 is "nowhere": it stays zero and is the neighbour where there is none.
    """

    vertices: Indices
    weights: Floats
    shares: list[int]
    lines: list[Indices]
    copies: Indices
    rows: int

    def parts(self) -> list[tuple[Indices, Floats]]:
        """Vertices and weights of each share."""
        return [(self.vertices[a:b], self.weights[a:b]) for a, b in itertools.pairwise(self.shares)]


def shares_of(points: int) -> int:
    """Into how many shares so many points are cut; as many threads can work on them."""
    return max(1, min(_SHARES, points // _POINTS))


def build_lattice(features: Floats, workers: Workers) -> Lattice:
    """Place points in a lattice that filters with standard deviation 1 in every feature.

    Args:
        features: (n, d) float32 in C order, n ≥ 1, d in 1..6.
        workers: the threads to use.
    """
    count, dimensions = features.shape
    multipliers = np.array([*_MULTIPLIERS[:dimensions], 0], np.int64)
    steps = multipliers.sum() - (dimensions + 1) * multipliers
    vertices = np.empty((count, dimensions + 1), np.uint32)
    weights = np.empty((count, dimensions + 1), np.float32)
    shares = [count * share // shares_of(count) for share in range(shares_of(count) + 1)]
    spans = [slice(a, b) for a, b in itertools.pairwise(shares)]
    keys = workers.map(lambda span: _numbered(features[span], multipliers, steps, vertices[span], weights[span]), spans)
    unique = np.concatenate([np.zeros(1, np.int64), *keys])
    firsts = itertools.accumulate([len(found) for found in keys[:-1]], initial=0)
    workers.map(_shift, [(vertices[span], first) for span, first in zip(spans, firsts, strict=True)])
    table = np.zeros(1 << (4 * len(unique) - 1).bit_length(), np.uint32)  # at most a quarter of it will be full
    late = np.empty((len(unique), 2), np.uint32)
    copies = late[: enter(unique, table, late, 1, len(unique))].copy()
    after = np.empty((dimensions + 1, len(unique)), np.uint32)
    workers.run(find_next, len(unique), unique, table, steps, after)
    lines = workers.map(lambda following: _line(following, copies), list(after))
    return Lattice(vertices, weights, shares, lines, copies, len(unique))


def plain_vertices(lattice: Lattice) -> NDArray[np.int64]:
    """The rows of the points' vertices (n, d + 1), for filters that need no copies."""
    own = np.arange(lattice.rows)
    own[lattice.copies[:, 0]] = lattice.copies[:, 1]
    return own[lattice.vertices]


def neighbours(lattice: Lattice) -> NDArray[np.int64]:
    """The rows before and after each row along each axis (d + 1, 2, rows), 0 where there is none."""
    found = np.zeros((len(lattice.lines), 2, lattice.rows), np.int64)
    for (before, after), line in zip(found, lattice.lines, strict=True):
        before[line[1:]], after[line[:-1]] = line[:-1], line[1:]
    found[..., 0] = 0
    return found


def normalize(lattice: Lattice, workers: Workers) -> None:
    """Scale the weights: the filter K becomes D^-½ K D^-½ with D = K·1, the symmetric normalisation of dense CRFs."""
    mass, parts = Filter(lattice, 1), lattice.parts()
    ones = np.ones((max(len(vertices) for vertices, _ in parts), LANES), np.float32)
    workers.map(lambda part: splat(*part, ones[: len(part[0])], mass.sums), parts)
    blur_all([mass], workers)
    workers.map(lambda part: normalize_weights(*part, mass.rows), parts)


class Filter:
    """The rows to filter some number of channels on a lattice, again and again.

    Attributes:
        lattice: the lattice.
        sums: (groups of 4 channels, rows, 4) what the points have splatted; zero after `blur_all`.
        rows: (groups, rows, 4) the blurred vertices.
    """

    def __init__(self, lattice: Lattice, channels: int) -> None:
        self.lattice = lattice
        self.sums = np.zeros((-(-channels // LANES), lattice.rows, LANES), np.float32)
        self.rows = np.zeros_like(self.sums)

    def __call__(self, values: Floats, workers: Workers) -> Floats:
        """Filter values (n, channels); returns the same shape."""
        padded = np.zeros((len(values), len(self.rows) * LANES), np.float32)
        padded[:, : values.shape[1]] = values
        spans = [slice(*cut) for cut in itertools.pairwise(self.lattice.shares)]
        shares = list(zip(self.lattice.parts(), [padded[span] for span in spans], strict=True))
        workers.map(lambda share: splat(*share[0], share[1], self.sums), shares)
        blur_all([self], workers)
        padded[:] = 0
        workers.map(lambda share: slice_(*share[0], 1, self.rows, share[1], share[1]), shares)
        return padded[:, : values.shape[1]]

    def blur(self, group: int) -> None:
        """Blur a group of channels along all axes in turn, and clear its sums, which have become the rows before."""
        self.sums[group] = 0
        gather_copies(self.rows, group, self.lattice.copies, False)
        for line in self.lattice.lines:
            blur(self.rows, group, line)
        gather_copies(self.rows, group, self.lattice.copies, True)


def blur_all(filters: Sequence[Filter], workers: Workers) -> None:
    """Blur what was splatted. Threads share the filters and their groups; few rows are left to the caller."""
    for one in filters:
        one.rows, one.sums = one.sums, one.rows
    groups = [(one, group) for one in filters for group in range(len(one.rows))]
    if sum(one.rows.size for one in filters) < _FEW:
        for one, group in groups:
            one.blur(group)
    else:
        workers.map(lambda task: task[0].blur(task[1]), groups)


def _numbered(features: Floats, multipliers: Keys, steps: Keys, vertices: Indices, weights: Floats) -> Keys:
    """Set the vertices of points, numbered from 1 in the order of the points, and their weights; returns their keys."""
    dimensions = features.shape[1]
    # √((j+1)(j+2)) is the length of the hyperplane's j-th axis; splat, blur and slice together have variance 2/3 in it.
    scale = np.array([math.sqrt(2 / 3 / ((j + 1) * (j + 2))) for j in range(dimensions)], np.float32)
    unique = np.empty(vertices.size + 1, np.int64)
    table = np.zeros(_SLOTS, np.uint32)
    done, count = 0, 1
    while done < len(features):
        done, count = number(features, scale, multipliers, steps, vertices, weights, unique, table, done, count)
        if done < len(features):
            table = np.zeros(2 * len(table), np.uint32)
            enter(unique, table, np.empty((0, 2), np.uint32), 1, count)
    return unique[1:count]


def _shift(share: tuple[Indices, int]) -> None:
    vertices, first = share
    if first:
        vertices += np.uint32(first)


def _line(after: Indices, copies: Indices) -> Indices:
    """Write the lines along an axis down, from the rows after each row."""
    line = np.empty(len(after) // 2 * 3 + 3, np.uint32)
    return line[: draw_lines(after, copies, np.zeros(len(after), np.bool_), line)]
