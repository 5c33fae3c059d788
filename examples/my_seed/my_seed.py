"""A seed method in one file, outside of weakseg: class activation maps trained by the strongest pixels alone.

Global average pooling teaches a classifier with every pixel of a photo, although most are background. Here the score
of a class is the mean over the share of pixels where its map is strongest, as in the positive part of the pooling of
WILDCAT (Durand, Mordan, Thome and Cord, WILDCAT: Weakly Supervised Learning of Deep ConvNets for Image Classification,
Pointwise Localization and Segmentation, CVPR 2017).

    pip install ./examples/my_seed
    weakseg ablate examples/my_seed/study.yaml --with small --data scenes:160 --seeds 1 --out runs/my-seed

The entry point in pyproject.toml gives the method its name; a recipe then takes it with ``classify.method=my-seed`` and
its settings stand under ``classify.options``. Everything else (training, scales and flips, refinement, scores, tables)
is weakseg's.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.base import CamMethod, CamSettings
from weakseg.settings import Unit, settings


@settings
class MySeedSettings(CamSettings):
    """Of `MySeed`; the docstrings are what `weakseg recipes ... --settings` shows."""

    share: Unit = 0.2
    """Share of the pixels that the score of a class is the mean of; 1 is global average pooling, 0 the strongest pixel
    alone."""


class MySeed(CamMethod):
    """A classifier of the tags whose maps are read before the pooling."""

    Settings: ClassVar[type[CamSettings]] = MySeedSettings

    def __init__(self, backbone: Backbone, n_classes: int, settings: MySeedSettings) -> None:
        super().__init__(backbone, n_classes, settings)
        self.share = settings.share

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""
        maps = self.classifier(self.dropout(self.backbone(images)[-1])).flatten(2)
        return maps.topk(max(1, round(self.share * maps.shape[2])), dim=2).values.mean(dim=2)

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The multilabel soft-margin loss of the tags."""
        return {"classification": F.multilabel_soft_margin_loss(self.logits(images), tags)}

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Positive evidence (C, h, w) of a view and its mirror image."""
        maps = F.relu(self.classifier(self.backbone(views)[-1]))
        return maps[0] + maps[1].flip(-1) if len(maps) == 2 else maps[0]
