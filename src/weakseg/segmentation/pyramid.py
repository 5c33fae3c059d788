"""What SegFormer and UPerNet share: a decoder of segmentation_models_pytorch on all levels from stride 4 on."""

from __future__ import annotations

from typing import Any, ClassVar

from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.errors import WeaksegError
from weakseg.segmentation.base import BackboneNetwork

FINEST = 4
"""Stride of the finest level that the decoders use."""


class PyramidNetwork(BackboneNetwork):
    """A decoder and a classifier on the levels of a backbone from stride `FINEST` on.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: of ``Settings``.

    Raises:
        WeaksegError: the backbone has fewer than two such levels.
    """

    align_corners: ClassVar[bool] = True

    def __init__(self, backbone: Backbone, n_labels: int, settings: Any) -> None:
        super().__init__(backbone, n_labels, settings)
        self.used = [index for index, stride in enumerate(backbone.strides) if stride >= FINEST]
        if len(self.used) < 2:
            name = type(self).__name__.lower()
            raise WeaksegError(f"{name} needs two levels of stride {FINEST} or more; here are {backbone.strides}")
        self.channels = [backbone.channels[index] for index in self.used]

    def add_decoder(self, decoder: nn.Module, width: int, n_labels: int, kernel: int) -> None:
        """Put a decoder of ``width`` channels on the levels, and a classifier on it."""
        self.decoder: Any = decoder
        self.classifier = nn.Conv2d(width, n_labels, kernel, padding=kernel // 2)
        initialize_decoder(self.decoder)
        initialize_head(self.classifier)

    def logits(self, images: Tensor) -> Tensor:
        """See `BackboneNetwork.logits`; at the stride of the finest level used."""
        height, width = images.shape[-2:]
        levels = self.backbone(images)
        # The decoders leave the images out, or take a quarter of their size, rounded down, as that of the result.
        whole = F.pad(images, (0, -width % FINEST, 0, -height % FINEST))
        found: Tensor = self.classifier(self.decoder(self.arranged(whole, [levels[index] for index in self.used])))
        return found

    def arranged(self, images: Tensor, levels: list[Tensor]) -> list[Tensor]:
        """Images and levels as the decoder wants them."""
        return [images, *levels]
