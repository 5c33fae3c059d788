"""Atrous spatial pyramid pooling (ASPP), as DeepLabV3 and DeepLabV3+ have it; of segmentation_models_pytorch."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPPPooling
from torch import nn

from weakseg.backbones.backbone import Backbone
from weakseg.errors import one_of
from weakseg.segmentation.base import batch_norms
from weakseg.settings import Positive, PositiveInt, settings

RATES = (6, 12, 18)
"""Of the papers, at output stride 16."""


@settings
class AsppSettings:
    """Of ASPP (Chen et al. 2017, section 3.3)."""

    decoder_channels: PositiveInt = 256
    """Width of ASPP, and of the decoder of DeepLabV3+; the papers' 256. Half of it trains DeepLabV3+ in three quarters
    of the time."""
    atrous_rates: tuple[PositiveInt, ...] | None = None
    """How far the three dilated branches of ASPP look, in pixels of the last level; null for the papers' 6, 12, 18 at
    output stride 16 and twice that at 8, made for crops of 513 pixels. A tap that falls outside of every crop is never
    trained, yet meets pixels in photos that are larger than the crops."""
    pooled_epsilon: Positive = 1e-5
    """Added to the variance of the features of whole photos where these are normalised. Photos that look alike want
    more: their variance is below what it drifts by, and every photo comes out in one label."""

    def __post_init__(self) -> None:
        if self.atrous_rates is not None and len(self.atrous_rates) != len(RATES):
            raise ValueError(f"atrous_rates has {len(self.atrous_rates)} rates; ASPP takes {len(RATES)}")


def rates_for(backbone: Backbone, network: str, own: AsppSettings) -> tuple[int, ...]:
    """The atrous rates of the settings, or the papers' for the backbone's output stride.

    Raises:
        WeaksegError: the papers have no rates for that stride; ``network`` is what the message names.
    """
    stride = backbone.strides[-1]
    if stride not in (8, 16):
        raise one_of(f"output_stride of {network}", str(stride), (8, 16))
    return own.atrous_rates or tuple(rate * 16 // stride for rate in RATES)


def set_pooled_epsilon(network: nn.Module, epsilon: float) -> None:
    """Set what is added to the variance where features of whole photos (1 x 1) are normalised, in place."""
    for module in network.modules():
        if isinstance(module, ASPPPooling):
            for layer in batch_norms(module):
                layer.eps = epsilon
