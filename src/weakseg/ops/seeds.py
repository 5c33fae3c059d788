"""Confident pixels of soft maps, from which AffinityNet learns which pixels belong together (SPEC 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.maps import argmax_labels, with_background

IGNORE = 255
NO_SCORE = 1e-5


def affinity_seeds(low: Tensor, high: Tensor, labels: Sequence[int], *, pool: int = 8) -> Tensor:
    """Label map from two sets of scores, one with much and one with little background.

    A class is certain where it wins against much background, background where it wins though there is little of it;
    the rest, and what has no score at all (outside the image), is ignored.

    Args:
        low: (K + 1, H, W) scores with channel 0 background made with the low power (much background).
        high: the same with the high power. Both zero outside the image.
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


def power_seeds(
    scores: Tensor,
    labels: Sequence[int],
    *,
    inside: Tensor | None = None,
    low: float = 4,
    high: float = 32,
    pool: int = 8,
) -> Tensor:
    """`affinity_seeds` of raw foreground maps with the background (1 - max) ** power, without dense CRF.

    Args:
        scores: foreground maps (K, H, W) in [0, 1]; K = 0 gives background.
        labels: the K labels, c + 1 for class c.
        inside: bool (H, W), False where a crop lies outside its image; all inside if None.
        low: power that leaves much background (4 in paper and code).
        high: power that leaves little (32 in the released code, 24 in the paper).
        pool: as in `affinity_seeds`.

    Returns:
        uint8 (H / pool, W / pool): 0 background, the classes' labels, 255 ignore.
    """
    if low >= high:
        raise ValueError(f"the low power is below the high power, got {low} and {high}")
    known = scores.new_ones(scores.shape[1:]) if inside is None else inside.to(scores.dtype)
    return affinity_seeds(
        with_background(scores, low) * known, with_background(scores, high) * known, labels, pool=pool
    )
