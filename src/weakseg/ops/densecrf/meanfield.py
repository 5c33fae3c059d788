"""Mean-field inference of dense CRFs: Q ← softmax(−U + M Q), where M carries the messages between the pixels.

Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", 2011, algorithm 1,
with Potts compatibility: its transform, the sum over the other labels, differs from −Q by a constant per pixel, which
the softmax drops. A pixel's message to itself stays in, as in the authors' program.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from weakseg.ops.densecrf.permutohedral import Lattice, neighbours, plain_vertices

# Posteriors (N, K, H, W) -> Σ_m w_m K̃_m Q, of the same shape.
Messages = Callable[[Tensor], Tensor]

# The lattices of the kernels of one image, and their weights w_m.
Kernels = Sequence[tuple[Lattice, float]]


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


def lattice_messages(kernels: Sequence[Kernels], device: torch.device) -> Messages:
    """Make the messages over lattices, in torch operations on any device.

    On a GPU the additions into a vertex come in no fixed order, unless `torch.use_deterministic_algorithms` is on.

    Args:
        kernels: the kernels of each of the N images, in one order.
        device: where the posteriors will be.
    """
    filters = [
        (_TorchFilter([lattice for lattice, _ in same], device), same[0][1]) for same in zip(*kernels, strict=True)
    ]

    def messages(posterior: Tensor) -> Tensor:
        pixels = posterior.movedim(1, -1)
        values = pixels.flatten(end_dim=-2)
        total = torch.zeros_like(values)
        for one, strength in filters:
            total += strength * one(values)
        return total.view_as(pixels).movedim(-1, 1)

    return messages


class _TorchFilter:
    """The filter over the points of several lattices of one kind, each of which keeps to its own rows."""

    def __init__(self, lattices: Sequence[Lattice], device: torch.device) -> None:
        firsts = [0, *itertools.accumulate(lattice.rows for lattice in lattices)]
        places = [plain_vertices(lattice) + first for lattice, first in zip(lattices, firsts, strict=False)]
        around = [neighbours(lattice) + first for lattice, first in zip(lattices, firsts, strict=False)]
        weights = np.concatenate([lattice.weights for lattice in lattices])
        self._rows = firsts[-1]
        self._vertices = torch.from_numpy(np.concatenate(places).T.copy()).to(device)
        self._weights = torch.from_numpy(weights.T.copy()).to(device)[..., None]
        self._neighbours = torch.from_numpy(np.concatenate(around, 2)).to(device)

    def __call__(self, values: Tensor) -> Tensor:
        """Filter values (n, channels)."""
        rows = values.new_zeros(self._rows, values.shape[1])
        for place, weight in zip(self._vertices, self._weights, strict=True):
            rows.index_add_(0, place, values * weight)
        for before, after in self._neighbours:
            rows = rows + 0.5 * (rows[before] + rows[after])
        sliced = torch.zeros_like(values)
        for place, weight in zip(self._vertices, self._weights, strict=True):
            sliced += rows[place] * weight
        return sliced
