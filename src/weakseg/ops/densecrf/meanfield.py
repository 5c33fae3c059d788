"""Mean-field inference of dense CRFs: Q ← softmax(−U + M Q), where M carries the messages between the pixels.

Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", 2011, algorithm 1,
with Potts compatibility: its transform, the sum over the other labels, differs from −Q by a constant per pixel, which
the softmax drops. A pixel's message to itself stays in, as in the authors' program.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weakseg.ops.densecrf._permutohedral_loops import LANES, Floats, Indices, compiled, slice_, splat
from weakseg.ops.densecrf.permutohedral import Filter, Lattice
from weakseg.ops.densecrf.workers import Workers

# Posteriors (N, K, H, W) -> Σ_m w_m K̃_m Q, of the same shape.
Messages = Callable[[Tensor], Tensor]

# e^-60 is nothing beside 1, and its products with weights stay clear of the slow denormal numbers.
_LOWEST = np.float32(-60)
# So many points are sliced, normalised and splatted in one go that they stay in the nearest cache.
_BLOCK = 128
# Of 2^x: ln(2)^n / n! for n = 5 .. 0.
_SERIES = tuple(np.float32(math.log(2) ** n / math.factorial(n)) for n in range(5, -1, -1))


def mean_field(unary: Tensor, messages: Messages, iterations: int) -> Tensor:
    """Infer posteriors with any messages, on any device.

    Args:
        unary: (N, K, H, W) energies.
        messages: maps posteriors to messages, same shape.
        iterations: number of updates after Q = softmax(−U).

    Returns:
        posteriors (N, K, H, W).
    """
    posterior = torch.softmax(-unary, dim=1)
    for _ in range(iterations):
        posterior = torch.softmax(messages(posterior) - unary, dim=1)
    return posterior


def lattice_messages(lattice: Lattice, device: torch.device) -> Messages:
    """Make the messages over a lattice of N·H·W points, in torch operations on any device.

    On a GPU the additions into a vertex come in no fixed order, unless `torch.use_deterministic_algorithms` is on.
    """
    vertices = torch.from_numpy(lattice.vertices.T.astype(np.int64)).to(device)
    weights = torch.from_numpy(lattice.weights.T.copy()).to(device)[..., None]
    neighbours = torch.from_numpy(_common_neighbours(lattice)).to(device)

    def messages(posterior: Tensor) -> Tensor:
        pixels = posterior.movedim(1, -1)
        values = pixels.flatten(end_dim=-2)
        rows = values.new_zeros(lattice.rows, values.shape[1])
        for place, weight in zip(vertices, weights, strict=True):
            rows.index_add_(0, place, values * weight)
        for before, after in neighbours:
            rows = rows + 0.5 * (rows[before] + rows[after])
        sliced = torch.zeros_like(values)
        for place, weight in zip(vertices, weights, strict=True):
            sliced += rows[place] * weight
        return sliced.view_as(pixels).movedim(-1, 1)

    return messages


def _common_neighbours(lattice: Lattice) -> NDArray[np.int64]:
    """The neighbours along as many axes for all rows, counted from the first row of all: (axes, 2, rows)."""
    common = np.empty((max(len(table) for table in lattice.neighbours), 2, lattice.rows), np.int64)
    for table, start, stop in zip(lattice.neighbours, lattice.starts[:-1], lattice.starts[1:], strict=True):
        common[: len(table), :, start:stop] = table + np.int64(start)
        common[len(table) :, :, start:stop] = start  # nowhere: blurring leaves the row as it is
    return common


def lattice_mean_field(unary: Floats, lattice: Lattice, iterations: int, workers: Workers) -> Floats:
    """Infer the posteriors of one image over its lattice in compiled loops; the same as `mean_field`, faster on a CPU.

    Args:
        unary: (K, n) float32 energies.
        lattice: its n points' lattice.
        iterations: number of updates after Q = softmax(−U).
        workers: the threads to use.

    Returns:
        posteriors (K, n).
    """
    channels, count = unary.shape
    lattice_filter = Filter(lattice, channels, workers)
    support = np.full((count, lattice_filter.rows.shape[1]), -np.inf, np.float32)
    support[:, :channels] = -unary.T
    posterior = np.zeros_like(support)
    for step in range(iterations + 1):
        points = (lattice.vertices, lattice.weights, support, posterior, lattice_filter.rows)
        workers.run(_update, count, *points, step > 0, step < iterations, private=lattice_filter.parts)
        if step < iterations:
            lattice_filter.blur()
    return posterior[:, :channels].T


@compiled
def _update(
    vertices: Indices,
    weights: Floats,
    support: Floats,
    posterior: Floats,
    rows: Floats,
    receive: bool,
    send: bool,
    splatted: Floats,
    start: int,
    stop: int,
) -> None:
    """Receive the messages (not in the first step), set the posteriors, send them out (not in the last)."""
    for first in range(start, stop, _BLOCK):
        end = min(first + _BLOCK, stop)
        if receive:
            slice_(vertices, weights, posterior, rows, first, end)
        _softmax(support, posterior, first, end)
        if send:
            splat(vertices, weights, posterior, splatted, first, end)


@compiled
def _softmax(support: Floats, posterior: Floats, start: int, stop: int) -> None:
    """Turn messages (n, channels) into posteriors, in place: softmax(support + message)."""
    values, added = posterior[start:stop].reshape(-1), support[start:stop].reshape(-1)
    for e in range(len(values)):
        values[e] += added[e]
    for i in range(start, stop):
        p = posterior[i]
        highest = np.float32(-np.inf)
        for g in range(0, len(p), LANES):
            highest = max(highest, max(max(p[g], p[g + 1]), max(p[g + 2], p[g + 3])))
        for k in range(len(p)):
            p[k] -= highest
    for e in range(len(values)):
        values[e] = _exp(values[e])
    for i in range(start, stop):
        p = posterior[i]
        total = np.float32(0)
        for g in range(0, len(p), LANES):
            total += (p[g] + p[g + 1]) + (p[g + 2] + p[g + 3])
        for k in range(len(p)):
            p[k] *= np.float32(1) / total


@compiled
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
