"""Pair affinities of a feature map, their labels and their loss (docs/methods/affinitynet.md)."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from weakseg.ops.pair_distance import pair_distance
from weakseg.ops.pairs import Border, pair_offsets, pair_windows
from weakseg.training.ranks import photo_share, sum_over_ranks

IGNORE = 255
EPSILON = 1e-5


class PairLabels(NamedTuple):
    """What is known about every pair; three bool stencils of one shape (N, n, h, w), never two true at once.

    Attributes:
        background: both pixels are background.
        foreground: both pixels belong to the same class.
        different: the pixels belong to different classes (background counts as one).
    """

    background: Tensor
    foreground: Tensor
    different: Tensor


Reduction = Literal["mean", "sum"]
"""Of the distance of two features over their channels."""


class AffinityLoss(NamedTuple):
    """The loss of AffinityNet and its three terms, scalars: total = (background + foreground) / 4 + different / 2."""

    total: Tensor
    background: Tensor
    foreground: Tensor
    different: Tensor


def feature_affinity(features: Tensor, radius: int, *, border: Border = "all", reduction: Reduction = "mean") -> Tensor:
    """Affinity exp(-|f_i - f_j|) of all pairs of a feature map, with gradient.

    The cost grows with the number of pairs; nothing of size channels x offsets x pixels is ever held.

    Args:
        features: (N, C, h, w).
        radius: pairs are closer than this many map pixels (5 in the paper).
        border: which pairs exist, see `weakseg.ops.pairs.Border`.
        reduction: the L1 distance as the ``mean`` over channels (released code) or their ``sum`` (paper).

    Returns:
        float32 stencil (N, n, h, w) in [0, 1], 0 where a pair does not exist.

    Raises:
        ValueError: the map is too small for ``border="crop"``, or an unknown reduction.
    """
    if reduction not in get_args(Reduction):
        raise ValueError(f"unknown reduction {reduction!r}; available: {', '.join(get_args(Reduction))}")
    distance = pair_distance(features, radius, border)
    if reduction == "mean":
        distance = distance / features.shape[1]
    size = (features.shape[-2], features.shape[-1])
    return torch.exp(-distance) * pair_mask(size, radius, border).to(features.device)


def pair_mask(size: tuple[int, int], radius: int, border: Border = "all") -> Tensor:
    """Which pairs exist on a map of size (h, w): bool stencil (n, h, w)."""
    mask = torch.zeros(len(pair_offsets(radius)), *size, dtype=torch.bool)
    for exists, window in zip(mask, pair_windows(size, radius, border), strict=True):
        exists[window.source] = True
    return mask


def pair_labels(labels: Tensor, radius: int, *, border: Border = "all") -> PairLabels:
    """Label every pair of a batch of label maps.

    Args:
        labels: integer (N, h, w), 0 background, 255 ignore, any other value a class.
        radius: as in `feature_affinity`.
        border: as in `feature_affinity`.
    """
    batch, height, width = labels.shape
    shape = (batch, len(pair_offsets(radius)), height, width)
    pairs = PairLabels(*(torch.zeros(shape, dtype=torch.bool, device=labels.device) for _ in range(3)))
    for k, window in enumerate(pair_windows((height, width), radius, border)):
        source, target = labels[:, *window.source], labels[:, *window.target]
        known = (source != IGNORE) & (target != IGNORE)
        same = known & (source == target)
        pairs.background[:, k, *window.source] = same & (source == 0)
        pairs.foreground[:, k, *window.source] = same & (source != 0)
        pairs.different[:, k, *window.source] = known & (source != target)
    return pairs


def affinity_loss(affinity: Tensor, pairs: PairLabels, eps: float = EPSILON) -> AffinityLoss:
    """Cross entropy of pair affinities, each kind of pair averaged over the whole batch, on all devices, by itself.

    Args:
        affinity: (N, n, h, w) in [0, 1].
        pairs: labels of the same shape. A kind without pairs adds 0.
        eps: added inside the logarithms and to the counts.
    """
    agree = -torch.log(affinity + eps)
    disagree = -torch.log(1 + eps - affinity)
    background = _masked_mean(agree, pairs.background, eps)
    foreground = _masked_mean(agree, pairs.foreground, eps)
    different = _masked_mean(disagree, pairs.different, eps)
    return AffinityLoss((background + foreground) / 4 + different / 2, background, foreground, different)


def _masked_mean(values: Tensor, mask: Tensor, eps: float) -> Tensor:
    return (values * mask).sum() / ((sum_over_ranks(mask.sum()) + eps) * photo_share(len(mask)))
