"""SegFormer's decoder (Xie et al., NeurIPS 2021), of segmentation_models_pytorch, on any backbone.

One linear layer per level brings all levels to one width; enlarged and joined, a 1x1 convolution fuses them (section
3.2 of the paper). The paper's encoder, MiT, is not in timm; pvt_v2_b1 and its kin are near to it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from torch import nn

from weakseg.segmentation.pyramid import PyramidNetwork
from weakseg.settings import PositiveInt, settings


@settings
class SegformerSettings:
    """SegFormer: one linear layer per level."""

    decoder_channels: PositiveInt = 256
    """Width of the decoder; the paper has 256 on its small encoders, B0 and B1, and 768 on the others."""


class Segformer(PyramidNetwork):
    """SegFormer's decoder on a backbone.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: see `SegformerSettings`.

    Raises:
        WeaksegError: the backbone has fewer than two levels of stride 4 or more.
    """

    Settings: ClassVar[type[Any]] = SegformerSettings
    Decoder: ClassVar[type[nn.Module]] = SegformerDecoder
