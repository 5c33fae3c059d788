"""Confident pixels of soft maps, from which AffinityNet learns which pixels belong together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.maps import argmax_labels

IGNORE = 255
NO_SCORE = 1e-5


def affinity_seeds(low: Tensor, high: Tensor, labels: Sequence[int], *, pool: int = 8) -> Tensor:
    """Label map from two sets of scores, one with much and one with little background.

    A class is certain where it wins against much background, background where it wins though there is little of it;
    the rest, and what has no score at all (outside the image), is ignored.

    The scores are posteriors of the dense CRF or, without it, `weakseg.ops.maps.with_background` of the raw maps.

    Args:
        low: (K + 1, H, W) scores, channel 0 background with the low power (4: much background); zero outside the image.
        high: the same with the high power (32 in the released code, 24 in the paper: little background).
        labels: the labels of the K foreground channels, c + 1 for class c.
        pool: scores are averaged over squares of this many pixels first.

    Returns:
        uint8 (H / pool, W / pool): 0 background, the classes' labels, 255 ignore.

    Raises:
        ValueError: scores of different shapes, or sides that are no multiples of ``pool``.
    """
    if low.shape != high.shape:
        raise ValueError(f"low {tuple(low.shape)} and high {tuple(high.shape)} scores differ in shape")
    if low.shape[1] % pool or low.shape[2] % pool:
        raise ValueError(f"score maps of {low.shape[1]} x {low.shape[2]} are no multiples of {pool}; pad with zeros")
    low, high = F.avg_pool2d(low, pool), F.avg_pool2d(high, pool)
    seeds = argmax_labels(low, (IGNORE, *labels))
    seeds[high.argmax(dim=0) == 0] = 0
    seeds[torch.maximum(low, high).amax(dim=0) < NO_SCORE] = IGNORE
    return seeds
