"""DeepLabV3 (Chen, Papandreou, Schroff and Adam, arXiv:1706.05587): ASPP with the mean of the image on the last level.

The pyramid is that of segmentation_models_pytorch; one 1x1 convolution follows (section 3.3 of the paper), where that
library, as torchvision, puts another 3x3 convolution between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP
from torch import Tensor, nn

from weakseg.backbones.backbone import Backbone
from weakseg.backbones.surgery import set_multi_grid
from weakseg.segmentation.aspp import AsppSettings, rates_for, set_pooled_epsilon
from weakseg.segmentation.base import BackboneNetwork
from weakseg.settings import PositiveInt, Unit, settings


@settings
class DeepLabV3Settings(AsppSettings):
    """DeepLabV3: ASPP with the mean of the image."""

    multi_grid: tuple[PositiveInt, ...] | None = None
    """Factors of the dilation in the blocks of a ResNet's last stage, one for each (section 3.2.1); the paper's best
    is 1, 2, 4. Null leaves the backbone as it is."""
    dropout: Unit = 0.0
    """Probability of dropping a value before the classifier in training."""


class DeepLabV3(BackboneNetwork):
    """DeepLabV3 on a backbone of output stride 8 or 16.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: see `DeepLabV3Settings`.

    Raises:
        WeaksegError: another output stride, or a last stage that ``multi_grid`` does not fit.
    """

    Settings: ClassVar[type[Any]] = DeepLabV3Settings
    RELEASED: ClassVar[Mapping[str, str]] = {
        **{f"aspp.stages.c{branch}.conv.": f"aspp.convs.{branch}.0." for branch in range(4)},
        **{f"aspp.stages.c{branch}.bn.": f"aspp.convs.{branch}.1." for branch in range(4)},
        "aspp.stages.imagepool.conv.conv.": "aspp.convs.4.1.",
        "aspp.stages.imagepool.conv.bn.": "aspp.convs.4.2.",
        "fc1.conv.": "aspp.project.0.",
        "fc1.bn.": "aspp.project.1.",
        "fc2.": "classifier.",
    }
    """Names in deeplab-pytorch, on the backbone resnet101_caffe."""

    def __init__(self, backbone: Backbone, n_labels: int, settings: DeepLabV3Settings) -> None:
        super().__init__(backbone, n_labels, settings)
        rates, width = rates_for(backbone, "deeplabv3", settings), settings.decoder_channels
        if settings.multi_grid is not None:
            set_multi_grid(backbone.features, settings.multi_grid)
        self.aspp = ASPP(backbone.channels[-1], width, rates, separable=False, dropout=settings.dropout)
        self.classifier = nn.Conv2d(width, n_labels, 1)
        set_pooled_epsilon(self.aspp, settings.pooled_epsilon)

    def logits(self, images: Tensor) -> Tensor:
        """See `BackboneNetwork.logits`; at the backbone's output stride."""
        found: Tensor = self.classifier(self.aspp(self.backbone(images)[-1]))
        return found
