"""What the consistency losses of SEAM and CPN are made of (docs/methods/seam.md, cpn.md).

Both compare normalised maps of two views of a photo. The released code does so for all classes at the images' size;
here only the channels that a tag switches on are enlarged, since the others are multiplied by 0 before they are
compared: the same values and gradients from a fraction of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.maps import min_max_normalise

MINIMUM_SHARE = 0.25


class View(NamedTuple):
    """Maps of the same view of N photos.

    Attributes:
        maps: raw, background first, (N, C + 1, h, w); they may have a gradient.
        revised: the same after a context module, not negative; None without one.
        size: (H, W) at which the view is compared with others.
    """

    maps: Tensor
    revised: Tensor | None
    size: tuple[int, int]

    def split(self, count: int) -> list[View]:
        """The views of one batch, as ``count`` views of N / ``count`` photos."""
        revised = [None] * count if self.revised is None else self.revised.chunk(count)
        return [View(*parts, self.size) for parts in zip(self.maps.chunk(count), revised, strict=True)]


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, K, h, w) -> (N, K, H, W), bilinear, corners on corners as in SEAM's and CPN's networks."""
    if maps.shape[2:] == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=True)


def resized_mean(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Mean over space of `resized` maps, without resizing them: (N, K, h, w) -> (N, K)."""
    rows, columns = (_mean_weights(maps.shape[2 + axis], size[axis], maps) for axis in (0, 1))
    return torch.einsum("nkhw,h,w->nk", maps, rows, columns)


def _mean_weights(source: int, target: int, like: Tensor) -> Tensor:
    """The weight of every one of ``source`` pixels in the mean of ``target`` interpolated ones."""
    unit = torch.eye(source, dtype=like.dtype, device=like.device)[None]
    return F.interpolate(unit, target, mode="linear", align_corners=True).mean(dim=2)[0]


class TaggedChannels:
    """The channels of (N, C + 1, ...) maps that a loss can see: the background and every image's tagged classes.

    All images get equally many, M; those that have fewer tags are filled up with untagged classes, always with one
    where there is one, as a pixel's maximum over all classes may be the 0 of an untagged class.
    """

    def __init__(self, tags: Tensor) -> None:
        """Choose the channels of images with multi-hot ``tags`` (N, C)."""
        self.all = tags.shape[1] + 1
        count = min(tags.shape[1], int(tags.sum(dim=1).max()) + 1)
        classes = tags.argsort(dim=1, descending=True, stable=True)[:, :count]
        self._index = F.pad(classes + 1, (1, 0))[:, :, None, None]
        self._switch = F.pad(tags.gather(1, classes), (1, 0), value=1.0)[:, :, None, None]

    def picked(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Maps of all classes (N, C + 1, h, w) -> (N, M, H, W), those of untagged classes 0."""
        return resized(torch.take_along_dim(maps, self._index, dim=1), size) * self._switch

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """Mean absolute difference of the foreground of two sets of picked maps, over all C classes."""
        return (first - second)[:, 1:].abs().sum(dim=1).mean() / (self.all - 1)

    def hard_difference(self, first: Tensor, second: Tensor, share: float) -> Tensor:
        """Mean of the largest absolute differences between two sets of picked maps.

        Args:
            first: (N, M, H, W).
            second: the same shape.
            share: of all (C + 1) H W differences of an image that count (online hard example mining); 1 for all.
        """
        differences = (first - second).abs().flatten(1)
        kept = max(1, int(self.all * first.shape[2] * first.shape[3] * share))
        if kept < differences.shape[1]:  # else all that are left out are 0
            differences = differences.topk(kept, dim=1, sorted=False).values
        return (differences.sum(dim=1) / kept).mean()


def normalised(maps: Tensor) -> Tensor:
    """Maps (N, K, H, W), each from [max(minimum, 0), maximum] to [0, 1); one without positive evidence stays 0."""
    return min_max_normalise(maps.flatten(0, 1)).view_as(maps)


def strongest(maps: Tensor) -> Tensor:
    """Maps (N, K, H, W) with all but every pixel's largest value set to 0."""
    return maps.where(maps == maps.amax(dim=1, keepdim=True), 0)


def strongest_class(maps: Tensor) -> Tensor:
    """Maps (N, K, H, W) whose background stays and of whose classes only every pixel's strongest does."""
    return torch.cat([maps[:, :1], strongest(maps[:, 1:])], dim=1)


def with_own_background(maps: Tensor) -> Tensor:
    """Maps (N, K, H, W) with channel 0 replaced by 1 - the largest of the others."""
    classes = maps[:, 1:]
    return torch.cat([1 - classes.amax(dim=1, keepdim=True), classes], dim=1)


def lowest_activation(picked: Tensor) -> Tensor:
    """Mean activation of the quarter of pixels where the tagged classes are weakest.

    The released codes of SEAM and CPN minimise it on revised maps ("adaptive_min_pooling_loss"), the papers do not
    name it. It draws the background down and so moves the best threshold, not the best score.

    Args:
        picked: revised maps of `TaggedChannels.picked`.
    """
    strength = picked[:, 1:].amax(dim=1).flatten(1)
    count = max(1, int(strength.shape[1] * MINIMUM_SHARE))
    return F.relu(strength.topk(count, dim=1, largest=False, sorted=False).values).mean()
