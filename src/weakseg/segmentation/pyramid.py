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

    Attributes:
        Decoder: of segmentation_models_pytorch, made of channels per level, depth and width.
        unused: channels of what the decoder is given before the levels, and leaves out.

    Raises:
        WeaksegError: the backbone has fewer than two such levels.
    """

    align_corners: ClassVar[bool] = True
    Decoder: ClassVar[type[nn.Module]]
    unused: ClassVar[tuple[int, ...]] = (3,)

    def __init__(self, backbone: Backbone, n_labels: int, settings: Any) -> None:
        super().__init__(backbone, n_labels, settings)
        self.used = [index for index, stride in enumerate(backbone.strides) if stride >= FINEST]
        if len(self.used) < 2:
            name = type(self).__name__.lower()
            raise WeaksegError(f"{name} needs two levels of stride {FINEST} or more; here are {backbone.strides}")
        channels, width = [backbone.channels[index] for index in self.used], settings.decoder_channels
        self.decoder: Any = self.Decoder([*self.unused, *channels], max(3, len(channels)), width)
        self.classifier = nn.Conv2d(width, n_labels, 1)
        initialize_decoder(self.decoder)
        initialize_head(self.classifier)

    def logits(self, images: Tensor) -> Tensor:
        """See `BackboneNetwork.logits`; at the stride of the finest level used."""
        height, width = images.shape[-2:]
        levels = self.backbone(images)
        # The decoders leave the images out, or take a quarter of their size, rounded down, as that of the result.
        whole = F.pad(images, (0, -width % FINEST, 0, -height % FINEST))
        given = [*(whole for _ in self.unused), *(levels[index] for index in self.used)]
        found: Tensor = self.classifier(self.decoder(given))
        return found
