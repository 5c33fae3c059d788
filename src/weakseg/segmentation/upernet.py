"""UPerNet's decoder (Xiao, Liu, Zhou, Jiang and Sun, ECCV 2018), of segmentation_models_pytorch, on any backbone.

Pyramid pooling on the coarsest level, then a feature pyramid down to stride 4, all levels of which are fused (section
3.1 of the paper).
"""

from __future__ import annotations

from typing import Any, ClassVar

from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import nn

from weakseg.segmentation.pyramid import PyramidNetwork
from weakseg.settings import PositiveInt, settings


@settings
class UPerNetSettings:
    """UPerNet: pyramid pooling and a feature pyramid."""

    decoder_channels: PositiveInt = 256
    """Width of the decoder; the paper has 512."""


class UPerNet(PyramidNetwork):
    """UPerNet's decoder on a backbone.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: see `UPerNetSettings`.

    Raises:
        WeaksegError: the backbone has fewer than two levels of stride 4 or more.
    """

    Settings: ClassVar[type[Any]] = UPerNetSettings
    Decoder: ClassVar[type[nn.Module]] = UPerNetDecoder
    unused: ClassVar[tuple[int, ...]] = (3, 0)
