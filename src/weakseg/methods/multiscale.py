"""Class activation maps of one photo over scales and flips, as all released codes make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from weakseg.ops.maps import strided_size, sum_scales
from weakseg.ops.views import photo_views


class ScaleMaps(Protocol):
    """What makes maps of one scale; see `weakseg.methods.base.CamMethod`."""

    background: ClassVar[bool]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Evidence at one scale."""

    def merge(self, maps: Tensor) -> Tensor:
        """Evidence summed over scales to maps in [0, 1]."""


def multi_scale_maps(
    model: ScaleMaps, photo: Tensor, tags: Tensor, *, scales: Sequence[float], flip: bool = True, stride: int = 4
) -> Tensor:
    """Normalised maps of the tagged classes, after that of the background where the method makes one.

    Args:
        model: a trained CAM network in eval mode.
        photo: uint8 (3, H, W), RGB, on the model's device.
        tags: multi-hot (C,).
        scales: factors of the photo's size.
        flip: also look at the mirrored photo.
        stride: the maps are summed at ceil(H / stride) x ceil(W / stride), bilinear.

    Returns:
        float32 (K, h, w) in [0, 1], K the number of tagged classes, in class order; one more, first, where
        ``model.background`` holds. A photo without tags has no map.
    """
    evidence = scale_evidence(model, photo, tags, scales=scales, flip=flip)
    return merged_maps(model, evidence, strided_size((photo.shape[-2], photo.shape[-1]), stride))


def scale_evidence(
    model: ScaleMaps, photo: Tensor, tags: Tensor, *, scales: Sequence[float], flip: bool = True
) -> list[Tensor]:
    """What the network finds at every scale, channels as `multi_scale_maps` has them: (K, h_s, w_s) each."""
    present = torch.nonzero(tags)[:, 0]
    if not len(present):
        return [torch.zeros(0, 1, 1, device=photo.device)]
    if model.background:
        present = torch.cat([present.new_zeros(1), present + 1])
    views = photo_views(photo, scales, model.mean, model.std, flip=flip)
    return [model.scale_maps(pair, tags)[present] for pair in views]


def merged_maps(
    model: ScaleMaps, evidence: Sequence[Tensor], size: tuple[int, int], *, cut: tuple[int, int] | None = None
) -> Tensor:
    """Evidence of the scales, added up at one size and merged.

    Args:
        model: whose ``merge`` is taken.
        evidence: of `scale_evidence`.
        size: (h, w) of the sum, bilinear.
        cut: (H, W) to which its upper left part is cut before merging; None for all.

    Returns:
        float32 (K, H, W) in [0, 1].
    """
    rows, columns = cut or size
    summed = sum_scales(evidence, size)[:, :rows, :columns]
    return model.merge(summed) if len(summed) else summed
