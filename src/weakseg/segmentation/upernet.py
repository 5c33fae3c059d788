"""UPerNet's decoder (Xiao, Liu, Zhou, Jiang and Sun, ECCV 2018), of segmentation_models_pytorch, on any backbone.

Pyramid pooling on the coarsest level, then a feature pyramid down to stride 4, all levels of which are fused (section
3.1 of the paper).
"""

from __future__ import annotations

from typing import Any, ClassVar

from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor

from weakseg.backbones.backbone import Backbone
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

    def __init__(self, backbone: Backbone, n_labels: int, settings: UPerNetSettings) -> None:
        super().__init__(backbone, n_labels, settings)
        width, depth = settings.decoder_channels, max(3, len(self.channels))
        self.add_decoder(UPerNetDecoder([3, 0, *self.channels], depth, width), width, n_labels, kernel=1)

    def arranged(self, images: Tensor, levels: list[Tensor]) -> list[Tensor]:
        """See `PyramidNetwork.arranged`: the decoder leaves the first two out."""
        return [images, images, *levels]
