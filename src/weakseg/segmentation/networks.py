"""Segmentation networks, of segmentation_models_pytorch, on the backbones of this package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP, ASPPPooling
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone, BackboneSettings
from weakseg.errors import WeaksegError, one_of
from weakseg.registry import Registry
from weakseg.training.ranks import photo_share, sum_over_ranks

DECODER_CHANNELS = 256
"""Width of DeepLabV3+'s ASPP and decoder in the paper."""


class SegmentationNet(nn.Module):
    """A segmentation network for images of any size.

    The batch normalisation of its decoder is always trained; that of the backbone as the backbone says.

    Attributes:
        network: of segmentation_models_pytorch, with a `Backbone` in its encoder.
        mean: and ``std``: the normalisation of RGB in [0, 1] that it expects.
        balance: how much rare labels count in the loss: each pixel is weighted by the frequency of its label in the
            batch to the power of minus this.
    """

    balance: float = 0.0

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = self.backbone.mean, self.backbone.std

    @property
    def backbone(self) -> Backbone:
        """The part that comes with weights."""
        encoder: Any = self.network.encoder
        backbone: Backbone = encoder.model
        return backbone

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) of any size -> logits (N, n_labels, H, W).

        Raises:
            WeaksegError: one single image in training, of which no batch statistics can be taken.
        """
        count, _, height, width = images.shape
        if self.training and count == 1:
            raise WeaksegError("a segmentation network cannot train on a batch of 1 image; use a batch of 2 or more")
        stride = self.backbone.strides[-1]
        # Zero is the mean colour, as in the margins of training crops.
        padded = F.pad(images, (0, -width % stride, 0, -height % stride))
        logits: Tensor = self.network(padded)
        return logits[..., :height, :width]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The cross entropy of the pixels that are not 255, on all devices; 0 where all are.

        Args:
            images: normalised, (N, 3, H, W).
            labels: int64 (N, H, W), 0..n_labels - 1 or 255.
        """
        logits, share = self(images), photo_share(len(images))
        if not self.balance:
            total = F.cross_entropy(logits, labels, ignore_index=255, reduction="sum")
            return {"cross_entropy": total / (sum_over_ranks((labels != 255).sum()).clamp(min=1) * share)}
        counts = sum_over_ranks(torch.bincount(labels[labels != 255], minlength=logits.shape[1])).float()
        weights = counts.clamp(min=1).pow(-self.balance)
        total = F.cross_entropy(logits.float(), labels, weights, ignore_index=255, reduction="sum")
        return {"cross_entropy": total / ((weights * counts).sum().clamp(min=1e-6) * share)}

    def set_pooled_epsilon(self, epsilon: float) -> None:
        """Set what is added to the variance where features of whole photos (1 x 1) are normalised."""
        for module in self.network.modules():
            if isinstance(module, ASPPPooling):
                for layer in module.modules():
                    if isinstance(layer, nn.BatchNorm2d):
                        layer.eps = epsilon

    def set_atrous_rates(self, rates: Sequence[int]) -> None:
        """Set how far the branches of ASPP look, in pixels of the last level: one rate for each dilated convolution.

        Raises:
            WeaksegError: a network without ASPP, or with another number of branches.
        """
        branches = [
            [part for part in branch.modules() if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3)]
            for module in self.network.modules()
            if isinstance(module, ASPP)
            for branch in cast(nn.ModuleList, module.convs)
        ]
        dilated = [convolutions for convolutions in branches if convolutions]
        if len(dilated) != len(rates):
            raise WeaksegError(f"segment.atrous_rates has {len(rates)} rates; this network takes {len(dilated)}")
        for convolutions, rate in zip(dilated, rates, strict=True):
            for convolution in convolutions:
                convolution.dilation = convolution.padding = (rate, rate)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that do not come from the backbone."""
        known = set(self.backbone.parameters())
        return [parameter for parameter in self.parameters() if parameter not in known]


def deeplabv3plus(
    backbone_name: str, n_labels: int, backbone: Backbone, decoder_channels: int = DECODER_CHANNELS
) -> nn.Module:
    """DeepLabV3+ (Chen et al. 2018) around a backbone of output stride 8 or 16.

    The atrous rates are the paper's: 6, 12, 18 at output stride 16 and twice that at 8.

    Args:
        backbone_name: of timm or of this package.
        n_labels: number of classes with background.
        backbone: the network that makes the features.
        decoder_channels: width of ASPP and decoder.

    Raises:
        WeaksegError: the backbone has another output stride, or levels that DeepLabV3+ cannot use.
    """
    output_stride = backbone.strides[-1]
    if output_stride not in (8, 16):
        raise one_of("output_stride of deeplabv3plus", str(output_stride), (8, 16))
    try:
        network: Any = smp.DeepLabV3Plus(
            f"tu-{backbone_name}",
            encoder_weights=None,
            encoder_output_stride=output_stride,
            decoder_channels=decoder_channels,
            decoder_atrous_rates=[rate * 16 // output_stride for rate in (6, 12, 18)],
            classes=n_labels,
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise WeaksegError(f"deeplabv3plus cannot use the levels of backbone {backbone_name!r} ({error})") from error
    # smp's encoder goes on to arrange the levels; ours brings weights, dilation and batch normalisation.
    network.encoder.model = backbone
    return cast(nn.Module, network)


BuildSegmentation = Callable[..., nn.Module]
"""Backbone and number of labels, background included -> a network: normalised images (N, 3, H, W) to logits (N, L, H,
W), with ``losses(images, labels)``, ``new_parameters()``, ``mean`` and ``std`` as `SegmentationNet` has them."""

SEGMENTATION_NETWORKS: Registry[BuildSegmentation] = Registry(
    "segmentation network",
    "weakseg.segmentation",
    {"deeplabv3plus": "weakseg.segmentation.networks:build_deeplabv3plus"},
)
"""Segmentation networks by name."""


def build_deeplabv3plus(
    backbone: BackboneSettings, n_labels: int, decoder_channels: int = DECODER_CHANNELS
) -> SegmentationNet:
    """DeepLabV3+ on a backbone; see `deeplabv3plus`. Raises WeaksegError for a backbone that does not exist or fit."""
    built = backbone.build()
    return SegmentationNet(deeplabv3plus(backbone.name, n_labels, built, decoder_channels))


def build_segmentation(network: str, *, backbone_name: str, n_labels: int, **options: Any) -> nn.Module:
    """Build a segmentation network by name.

    Args:
        network: a name of ``SEGMENTATION_NETWORKS``.
        backbone_name: see `weakseg.backbones.backbone.BackboneSettings`.
        n_labels: number of classes with background.
        options: other fields of `weakseg.backbones.backbone.BackboneSettings`.

    Raises:
        WeaksegError: no such network, or a backbone that does not exist or fit.
    """
    return SEGMENTATION_NETWORKS.get(network)(BackboneSettings(backbone_name, **options), n_labels)
