"""DeepLabV3+ (Chen, Zhu, Papandreou, Schroff and Adam, ECCV 2018) of segmentation_models_pytorch.

ASPP on the coarsest level, enlarged, joins the features of stride 4 (section 3.1 of the paper); convolutions are
separable.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast

import segmentation_models_pytorch as smp
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone, BackboneSettings
from weakseg.errors import WeaksegError
from weakseg.segmentation.aspp import AsppSettings, rates_for, set_pooled_epsilon
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.settings import settings


@settings
class DeepLabV3PlusSettings(AsppSettings):
    """DeepLabV3+: ASPP and a decoder with features of stride 4."""


class DeepLabV3Plus(SegmentationNetwork):
    """DeepLabV3+ for images of any size.

    The batch normalisation of its decoder is always trained; that of the backbone as the backbone says.

    Attributes:
        network: of segmentation_models_pytorch, with a `Backbone` in its encoder.
    """

    Settings: ClassVar[type[Any]] = DeepLabV3PlusSettings

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = self.backbone.mean, self.backbone.std

    @classmethod
    def build(cls, backbone: BackboneSettings, n_labels: int, settings: Any) -> Self:
        """See `SegmentationNetwork.build`; the backbone's output stride is 8 or 16."""
        built = backbone.build()
        network = cls(_network(backbone.name, n_labels, built, settings))
        set_pooled_epsilon(network, settings.pooled_epsilon)
        return network

    @property
    def backbone(self) -> Backbone:
        """The part that comes with weights."""
        encoder: Any = self.network.encoder
        backbone: Backbone = encoder.model
        return backbone

    def forward(self, images: Tensor) -> Tensor:
        """See `SegmentationNetwork.forward`. Raises WeaksegError as `SegmentationNetwork.check_batch`."""
        self.check_batch(images)
        height, width = images.shape[-2:]
        stride = self.backbone.strides[-1]
        # Zero is the mean colour, as in the margins of training crops.
        padded = F.pad(images, (0, -width % stride, 0, -height % stride))
        logits: Tensor = self.network(padded)
        return logits[..., :height, :width]


def _network(name: str, n_labels: int, backbone: Backbone, own: DeepLabV3PlusSettings) -> nn.Module:
    """The network around a backbone of that name."""
    rates = rates_for(backbone, "deeplabv3plus", own)
    try:
        network: Any = smp.DeepLabV3Plus(
            f"tu-{name}",
            encoder_weights=None,
            encoder_output_stride=backbone.strides[-1],
            decoder_channels=own.decoder_channels,
            decoder_atrous_rates=list(rates),
            classes=n_labels,
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise WeaksegError(f"deeplabv3plus cannot use the levels of backbone {name!r} ({error})") from error
    # smp's encoder goes on to arrange the levels; ours brings weights, dilation and batch normalisation.
    network.encoder.model = backbone
    return cast(nn.Module, network)
