"""Soft maps: sizes, merging over scales, background evidence, and maps to label maps.

A map tensor is float (K, h, w), one channel per class that the image is tagged with. Label maps are uint8:
0 background, c + 1 for class c, 255 ignore. ``labels`` always names the label of every channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5


def strided_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Size of a map at a stride: ceil(x / stride) per side: (x - 1) // s + 1.

    Example:
        >>> strided_size((375, 500), 4)
        (94, 125)
    """
    height, width = size
    if height < 1 or width < 1 or stride < 1:
        raise ValueError(f"a size and a stride are positive, got size {height} x {width} and stride {stride}")
    return (height - 1) // stride + 1, (width - 1) // stride + 1


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps (K, h, w) to (K, H, W), bilinear, pixel centres at half integers (align_corners=False)."""
    if maps.shape[0] == 0:
        return maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]


def sum_scales(maps: Iterable[Tensor], size: tuple[int, int]) -> Tensor:
    """Resize the maps (K, h_s, w_s) of every scale to one size (H, W) and add them up: (K, H, W)."""
    resized = [resize_maps(scale, size) for scale in maps]
    if not resized:
        raise ValueError("no scale to sum: give the maps of at least one scale")
    return torch.stack(resized).sum(dim=0)


def max_normalise(maps: Tensor, eps: float = EPSILON) -> Tensor:
    """Divide every channel of non-negative maps (K, h, w) by its maximum + eps: [0, 1).

    The rule of AffinityNet, IRNet, VWE and SIPE.
    """
    return maps / (maps.amax(dim=(1, 2), keepdim=True) + eps)


def min_max_normalise(maps: Tensor, eps: float = EPSILON) -> Tensor:
    """Map every channel of (K, h, w) from [max(minimum, 0), maximum] onto [0, 1).

    The rule of SEAM and CPN. Negative evidence and what lies within eps of the minimum become 0 (the
    released code lets them be negative, which no threshold tells from 0). A channel without positive evidence stays 0.
    """
    positive = maps.clamp(min=0)
    low = positive.amin(dim=(1, 2), keepdim=True)
    high = positive.amax(dim=(1, 2), keepdim=True)
    return (positive - low - eps).clamp(min=0) / (high - low + eps)


def background_power(scores: Tensor, power: float) -> Tensor:
    """Background evidence (1 - max_c score_c) ** power of maps in [0, 1] (docs/methods/affinitynet.md).

    Args:
        scores: (K, h, w); K = 0 gives background everywhere.
        power: alpha, positive. The larger, the less background.

    Returns:
        (1, h, w) in [0, 1].
    """
    if power <= 0:
        raise ValueError(f"the background power is positive, got {power}")
    if scores.shape[0] == 0:
        return scores.new_ones(1, *scores.shape[1:])
    return (1 - scores.amax(dim=0, keepdim=True)).clamp(min=0) ** power


def with_background(scores: Tensor, power: float) -> Tensor:
    """Prepend `background_power` to maps (K, h, w): (K + 1, h, w), channel 0 is background."""
    return torch.cat([background_power(scores, power), scores])


def argmax_labels(scores: Tensor, labels: Sequence[int]) -> Tensor:
    """The label of the strongest channel of every pixel; of equal channels the first wins.

    Args:
        scores: (K, h, w).
        labels: the label of every channel, 0 for background.

    Returns:
        uint8 (h, w).

    Raises:
        ValueError: there are no channels, or not as many labels as channels.

    Example:
        >>> argmax_labels(torch.tensor([[[0.9, 0.2]], [[0.1, 0.8]]]), [0, 4])
        tensor([[0, 4]], dtype=torch.uint8)
    """
    if len(labels) != scores.shape[0] or not labels:
        raise ValueError(f"every channel needs a label, got {len(labels)} labels for {scores.shape[0]} channels")
    table = torch.tensor(labels, dtype=torch.uint8, device=scores.device)
    return table[scores.argmax(dim=0)]


def threshold_labels(scores: Tensor, labels: Sequence[int], threshold: float) -> Tensor:
    """The label of the strongest class where it exceeds a threshold, else background.

    Equal to a constant background map.

    Args:
        scores: foreground maps (K, h, w); K = 0 gives background everywhere.
        labels: the K labels, c + 1 for class c.
        threshold: score at and below which a pixel is background.

    Returns:
        uint8 (h, w).
    """
    background = scores.new_full((1, *scores.shape[1:]), threshold)
    return argmax_labels(torch.cat([background, scores]), (0, *labels))
