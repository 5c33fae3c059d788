"""DeepLab-LargeFOV ("DeepLabV1"; Chen, Papandreou, Kokkinos, Murphy and Yuille, ICLR 2015).

One dilated 3x3 convolution with a large field of view, a 1x1 convolution and a classifier on the last level (section
4.1 of the paper). SEAM's author trains it on WideResNet-38 with batch normalisation
(semantic-segmentation-codebase, seamv1); the networks after SEAM, CPN and SIPE are of that form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Le
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.segmentation.base import BackboneNetwork, batch_norms
from weakseg.settings import PositiveInt, Unit, settings


@settings
class DeepLabV1Settings:
    """DeepLabV1 (LargeFOV): one dilated convolution with a large field of view."""

    large_fov: bool = True
    """False where the backbone ends with these layers itself, as vgg16_20m_d12: then the classifier alone."""
    width: PositiveInt = 512
    """Channels of both hidden layers."""
    rate: PositiveInt = 12
    """Dilation of the 3x3 convolution, in pixels of the last level; 12 at output stride 8."""
    dropout: Unit = 0.5
    """Probability of dropping a value before the classifier in training."""
    batch_norm_momentum: Annotated[float, Gt(0), Le(1)] = 0.1
    """Share of a batch in the running statistics, of the backbone too. The released code has 3e-4, which takes
    thousands of steps to forget where the statistics began."""
    train_affine: bool = True
    """Train scale and shift of the head's batch normalisation; the released code does not."""
    freeze_stem: bool = False
    """Leave the first convolution of the backbone as it comes; so the released code."""


class DeepLabV1(BackboneNetwork):
    """DeepLabV1 on any backbone; published on WideResNet-38 and VGG16 at output stride 8.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: see `DeepLabV1Settings`.
    """

    Settings: ClassVar[type[Any]] = DeepLabV1Settings
    align_corners: ClassVar[bool] = True
    RELEASED: ClassVar[Mapping[str, str]] = {
        "backbone.": "backbone.features.",
        **{f"{name}.": f"{name}." for name in ("conv_fov", "bn_fov", "conv_fov2", "bn_fov2", "cls_conv")},
    }
    """Names in semantic-segmentation-codebase, on the backbone wr38."""

    def __init__(self, backbone: Backbone, n_labels: int, settings: DeepLabV1Settings) -> None:
        super().__init__(backbone, n_labels, settings)
        channels, width, rate = backbone.channels[-1], settings.width, settings.rate
        self.large_fov = settings.large_fov
        if self.large_fov:
            self.conv_fov = nn.Conv2d(channels, width, 3, padding=rate, dilation=rate, bias=False)
            self.bn_fov = nn.BatchNorm2d(width)
            self.conv_fov2 = nn.Conv2d(width, width, 1, bias=False)
            self.bn_fov2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.cls_conv = nn.Conv2d(width if self.large_fov else channels, n_labels, 1)
        for layer in batch_norms(self):
            layer.momentum = settings.batch_norm_momentum
        if settings.freeze_stem:
            next(layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d)).requires_grad_(False)
        if self.large_fov and not settings.train_affine:
            self.bn_fov.requires_grad_(False)
            self.bn_fov2.requires_grad_(False)

    def logits(self, images: Tensor) -> Tensor:
        """See `BackboneNetwork.logits`; at the backbone's output stride."""
        features = self.backbone(images)[-1]
        if self.large_fov:
            features = F.relu(self.bn_fov(self.conv_fov(features)))
            features = F.relu(self.bn_fov2(self.conv_fov2(features)))
        found: Tensor = self.cls_conv(self.dropout(features))
        return found
