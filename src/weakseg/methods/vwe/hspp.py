"""Hybrid spatial pyramid pooling of VWE (Ru et al. 2021, docs/methods/vwe.md)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def hybrid_pool(features: Tensor, levels: Sequence[int] = (1, 2, 4), gamma: float = 2.0) -> Tensor:
    """Mix the global mean of a feature map with the means of the maxima of ever smaller regions.

    (gamma * mean + sum over r of mean(max pool of level r)) / (gamma + number of levels): the mean looks at the whole
    object and blurs, the maximum looks at its most telling spot; the regions lie between.

    A level r pools windows of (h // r, w // r) pixels side by side. As in the released code the rest of the map that
    no window fills is left out, and there are more than r windows a side where h mod r is at least h // r. The released
    code fails on maps of fewer than r pixels a side; here their windows are one pixel wide, so that the level sees what
    there is.

    Args:
        features: (N, D, h, w).
        levels: the r, positive; published 1, 2, 4.
        gamma: weight of the global mean, not negative; published 2.

    Returns:
        (N, D, 1, 1).

    Raises:
        ValueError: no level, or a level or weight out of range.

    Example:
        >>> hybrid_pool(torch.tensor([[[[0.0, 4.0]]]]), levels=(1,), gamma=1.0).item()
        3.0
    """
    if not levels or min(levels) < 1:
        raise ValueError(f"levels are one or more positive numbers, not {list(levels)}")
    if gamma < 0:
        raise ValueError(f"gamma, the weight of the mean, is 0 or more, not {gamma}")
    height, width = features.shape[-2:]
    pooled = gamma * features.mean((2, 3), keepdim=True)
    for level in levels:
        window = (max(1, height // level), max(1, width // level))
        pooled = pooled + F.max_pool2d(features, window).mean((2, 3), keepdim=True)
    return pooled / (gamma + len(levels))
