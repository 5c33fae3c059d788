"""The loss of IRNet: boundaries cut pairs of different classes, displacements of one object agree.

The authors hold all paths of all pairs of a batch, and for every pair its affinity, its labels and the difference of
its displacements. Here the terms and their gradients are added up pair by pair, so the memory is that of a few maps:
a loss has one gradient per input pixel, whatever the radius.

See docs/methods/irnet.md, "Path loss" and "Displacement loss".
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from weakseg.methods.irnet.paths import add_at_maximum, path_maximum, search_paths
from weakseg.ops.pairs import Border, PairWindow, pair_offsets, pair_windows
from weakseg.training.ranks import photo_share, sum_over_ranks

IGNORE = 255
EPSILON = 1e-5


class PathLoss(NamedTuple):
    """The five means of IRNet's loss, scalars; 0 for a kind without pairs.

    Attributes:
        background: -log affinity, over pairs of background.
        foreground: -log affinity, over pairs of one class.
        different: -log (1 - affinity), over pairs of different classes (background counts as one).
        displacement_background: |D_i - D_j| per axis, over pairs of background.
        displacement_foreground: |D_i - D_j - (x_j - x_i)| per axis, over pairs of one class.
    """

    background: Tensor
    foreground: Tensor
    different: Tensor
    displacement_background: Tensor
    displacement_foreground: Tensor


class Terms(NamedTuple):
    """Sums over pairs and their gradients; kinds of pairs are background, foreground, different, in this order.

    Attributes:
        sums: the five sums of `PathLoss`, (5,).
        counts: pairs of each kind, (3,).
        slopes: gradient of the first three sums by the boundary, (N, 3, h, w).
        shifts: gradient of the last two sums by the displacement, (N, 2, 2, h, w).
    """

    sums: Tensor
    counts: Tensor
    slopes: Tensor
    shifts: Tensor


def path_loss(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int, border: Border = "crop") -> PathLoss:
    """Loss of boundary and displacement maps, with gradient; each mean is over the whole batch, on all devices.

    On the CPU compiled loops, one image per thread, elsewhere tensor operations, one offset at a time.

    Args:
        boundary: (N, h, w) in [0, 1].
        displacement: (N, 2, h, w), (dy, dx) in map pixels from each pixel to the centre of its object.
        labels: integer (N, h, w), 0 background, 255 ignore, any other value a class.
        radius: pairs are closer than this many map pixels (10 in the released code).
        border: which pairs exist, see `weakseg.ops.pairs.Border`.

    Raises:
        ValueError: maps of different sizes, or too small for ``border="crop"``.
    """
    batch, height, width = boundary.shape
    if displacement.shape != (batch, 2, height, width) or labels.shape != boundary.shape:
        shapes = ", ".join(str(tuple(maps.shape)) for maps in (boundary, displacement, labels))
        raise ValueError(f"boundary, displacement and labels are (N, h, w), (N, 2, h, w) and (N, h, w), not {shapes}")
    return PathLoss(*_PathLoss.apply(boundary.float(), displacement.float(), labels, radius, border).unbind())


class _PathLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int, border: Border
    ) -> Tensor:
        add_up = _terms_cpu if boundary.device.type == "cpu" else terms
        found = add_up(boundary, displacement, labels, radius, border)
        counts, share = sum_over_ranks(found.counts), photo_share(len(boundary))
        per_pair, per_axis = 1 / ((counts + EPSILON) * share), 1 / ((2 * counts[:2] + EPSILON) * share)
        ctx.save_for_backward(found.slopes * per_pair.view(1, 3, 1, 1), found.shifts * per_axis.view(1, 2, 1, 1, 1))
        return found.sums * torch.cat([per_pair, per_axis])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        slopes, shifts = ctx.saved_tensors
        weights = gradients[0]
        boundary = (slopes * weights[:3].view(1, 3, 1, 1)).sum(dim=1)
        return boundary, (shifts * weights[3:].view(1, 2, 1, 1, 1)).sum(dim=1), None, None, None


def terms(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int, border: Border) -> Terms:
    """The sums of `path_loss` in tensor operations, for any device."""
    batch, height, width = boundary.shape
    slopes = boundary.new_zeros(batch, 3, height, width)
    shifts = boundary.new_zeros(batch, 2, 2, height, width)
    sums, counts = boundary.new_zeros(5), boundary.new_zeros(3)
    direction = boundary.new_tensor([1, 1, -1]).view(3, 1, 1)
    windows = pair_windows((height, width), radius, border)
    for offset, path, window in zip(pair_offsets(radius), search_paths(radius), windows, strict=True):
        kinds = _kinds(labels, window)
        strongest, place = path_maximum(boundary, path, window)
        agree, disagree = 1 - strongest + EPSILON, 1 + EPSILON - (1 - strongest)
        likely = torch.stack([agree, agree, disagree], dim=1)
        add_at_maximum(slopes, direction * kinds / likely, place[:, None], path, window)
        error = displacement[..., *window.source] - displacement[..., *window.target]
        errors = torch.stack([error, error - boundary.new_tensor(offset).view(2, 1, 1)], dim=1)
        pulls = errors.sign() * kinds[:, :2, None]
        shifts[..., *window.source] += pulls
        shifts[..., *window.target] -= pulls
        sums[:3] -= (likely.log() * kinds).sum(dim=(0, 2, 3))
        sums[3:] += (errors * pulls).sum(dim=(0, 2, 3, 4))
        counts += kinds.sum(dim=(0, 2, 3))
    return Terms(sums, counts, slopes, shifts)


def _kinds(labels: Tensor, window: PairWindow) -> Tensor:
    """Whether each pair of an offset is of background, of one class, of different ones: bool (N, 3, h', w')."""
    source, target = labels[:, *window.source], labels[:, *window.target]
    known = (source != IGNORE) & (target != IGNORE)
    same = known & (source == target)
    return torch.stack([same & (source == 0), same & (source != 0), known & (source != target)], dim=1)


def _terms_cpu(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int, border: Border) -> Terms:
    from weakseg.methods.irnet._path_loss_loops import add_image
    from weakseg.ops._pair_distance_loops import geometry

    batch, height, width = boundary.shape
    inputs = [maps.detach().contiguous().numpy() for maps in (boundary, displacement, labels.to(torch.uint8))]
    paths = search_paths(radius)
    pairs, points = geometry((height, width), radius, border), np.concatenate(paths)
    starts = np.cumsum([0, *map(len, paths)])
    add_up: Callable[..., None] = add_image
    sums = torch.zeros(batch, 8, dtype=torch.float64)
    slopes, shifts = torch.zeros(batch, 3, height, width), torch.zeros(batch, 2, 2, height, width)
    results = [sums.numpy(), slopes.numpy(), shifts.numpy()]

    def one(n: int) -> None:
        add_up(*(maps[n] for maps in inputs), pairs, points, starts, np.float32(EPSILON), *(r[n] for r in results))

    with ThreadPoolExecutor(min(batch, torch.get_num_threads())) as pool:
        list(pool.map(one, range(batch)))
    totals = sums.sum(dim=0).float()
    return Terms(totals[:5], totals[5:], slopes, shifts)
