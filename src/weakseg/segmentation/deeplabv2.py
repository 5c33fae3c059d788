"""DeepLabV2 (Chen, Papandreou, Kokkinos, Murphy and Yuille, TPAMI 2018), as deeplab-pytorch (kazuto1011) trains it.

Four dilated 3x3 convolutions on the last level give logits that are summed (ASPP, section 3.2 of the paper). The same
network looks at the image at several sizes, and each pixel takes the strongest answer of all (section 4.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt, Le, MinLen
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.segmentation.base import BackboneNetwork
from weakseg.settings import PositiveInt, settings


@settings
class DeepLabV2Settings:
    """DeepLabV2: a sum of dilated convolutions, and the maximum over sizes of the image."""

    rates: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (6, 12, 18, 24)
    """Dilation of each branch, in pixels of the last level; the paper's ASPP-L at output stride 8."""
    scales: tuple[Annotated[float, Gt(0), Le(1)], ...] = (0.5, 0.75)
    """Factors of the image's size at which the network looks once more, in training too; none for the image alone."""


class DeepLabV2(BackboneNetwork):
    """DeepLabV2 on a backbone; published at output stride 8 with frozen batch normalisation.

    Its head has no batch normalisation: on a frozen backbone it trains on single photos.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: see `DeepLabV2Settings`.
    """

    Settings: ClassVar[type[Any]] = DeepLabV2Settings
    batch_statistics: ClassVar[bool] = False
    RELEASED: ClassVar[Mapping[str, str]] = {
        "base.": "backbone.features.",
        **{f"base.aspp.c{branch}.": f"aspp.{branch}." for branch in range(4)},
    }
    """Names in deeplab-pytorch, on the backbone resnet101_caffe."""

    def __init__(self, backbone: Backbone, n_labels: int, settings: DeepLabV2Settings) -> None:
        super().__init__(backbone, n_labels, settings)
        self.scales, width = settings.scales, backbone.channels[-1]
        self.aspp = nn.ModuleList(_branch(width, n_labels, rate) for rate in settings.rates)

    def logits(self, images: Tensor) -> Tensor:
        """See `BackboneNetwork.logits`; the strongest of all sizes, at the backbone's output stride."""
        return self.all_logits(images)[-1]

    def all_logits(self, images: Tensor) -> list[Tensor]:
        """Logits of the image, of each of its other sizes at that size's own stride, and the strongest of them.

        Args:
            images: normalised, (N, 3, H, W).

        Returns:
            (N, n_labels, h, w) each; a single one where there are no other sizes.
        """
        found = [self._at_one_size(images)]
        found += [self._at_one_size(_smaller(images, scale)) for scale in self.scales]
        if len(found) == 1:
            return found
        size = found[0].shape[-2:]
        enlarged = [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in found[1:]]
        return [*found, torch.stack([found[0], *enlarged]).amax(dim=0)]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The cross entropy at every size and of the strongest logits, each against labels of its own size."""
        self.check_batch(images)
        names = ["cross_entropy", *(f"cross_entropy_{scale:g}" for scale in self.scales), "cross_entropy_max"]
        return {
            name: self.cross_entropy(logits, _resized(labels, logits.shape[-2:]))
            for name, logits in zip(names, self.all_logits(images), strict=False)
        }

    def _at_one_size(self, images: Tensor) -> Tensor:
        features = self.backbone(images)[-1]
        return torch.stack([branch(features) for branch in self.aspp]).sum(dim=0)


def _smaller(images: Tensor, scale: float) -> Tensor:
    """Images (N, 3, H, W) at a smaller size, of a pixel at least."""
    if min(images.shape[-2:]) * scale < 1:
        size = [max(1, int(side * scale)) for side in images.shape[-2:]]
        return F.interpolate(images, size, mode="bilinear", align_corners=False)
    return F.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)


def _branch(channels: int, n_labels: int, rate: int) -> nn.Conv2d:
    branch = nn.Conv2d(channels, n_labels, 3, padding=rate, dilation=rate)
    nn.init.normal_(branch.weight, std=0.01)
    if branch.bias is not None:
        nn.init.zeros_(branch.bias)
    return branch


def _resized(labels: Tensor, size: torch.Size) -> Tensor:
    """Labels (N, H, W) at another size, each pixel that of its centre."""
    return F.interpolate(labels[:, None].float(), size, mode="nearest-exact")[:, 0].long()
