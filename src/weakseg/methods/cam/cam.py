"""Plain class activation maps as AffinityNet and IRNet train and read them (docs/methods/cam.md).

Zhou, Khosla, Lapedriza, Oliva and Torralba, Learning Deep Features for Discriminative Localization, CVPR 2016.
Published on VOC train: 47.7 mIoU by AffinityNet's released code with WideResNet-38 (its paper: 48.0), 48.9 with VGG16,
48.3 with IRNet's ResNet-50 (threshold 0.15). The arithmetic is that of the released code, on any backbone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.base import CamMethod, CamSettings
from weakseg.settings import settings


@settings
class PlainCamSettings(CamSettings):
    """Of `PlainCam`; ``warm_up`` has no effect, as there is only the classification loss."""

    root: bool = False
    """Take the square root of the evidence of each view, as AffinityNet does with VGG16."""


class PlainCam(CamMethod):
    """Global average pooling and a linear classifier without bias.

    Args:
        backbone: only its coarsest level is used.
        n_classes: C.
        settings: see `PlainCamSettings`.
    """

    Settings = PlainCamSettings
    full_cell: ClassVar[int] = 16  # IRNet's code
    RELEASED: ClassVar[Mapping[str, str]] = {"fc8.": "classifier.", "classifier.": "classifier."}
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(self, backbone: Backbone, n_classes: int, settings: PlainCamSettings | None = None) -> None:
        settings = settings or PlainCamSettings()
        super().__init__(backbone, n_classes, settings)
        self.root = settings.root

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""
        features = self.dropout(self.backbone(images)[-1])
        logits: Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1))
        return logits.flatten(1)

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The multilabel soft-margin loss of the tags, as "classification"; see `CamMethod.losses`."""
        return {"classification": F.multilabel_soft_margin_loss(self.logits(images), tags)}

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Positive evidence, that of the mirrored view flipped back and added; see `CamMethod.scale_maps`."""
        maps: Tensor = F.relu(self.classifier(self.backbone(views)[-1]))
        maps = maps.sqrt() if self.root else maps
        return maps[0] + maps[1].flip(-1) if len(maps) == 2 else maps[0]
