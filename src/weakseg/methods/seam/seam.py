"""SEAM: maps that stay the same when a photo is seen smaller (docs/methods/seam.md).

Wang, Zhang, Kan, Shan and Chen, Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic
Segmentation, CVPR 2020.

A network sees each photo at two sizes. Its maps must agree (equivariance, ER), and the maps of one size must agree
with those that PCM has revised at the other (cross, ECR), so that PCM does not settle for what it already has.

Published: 55.41 % mIoU of the maps on VOC train (best threshold), 63.61 after AffinityNet; with PRCM in place of PCM
55.71 ("SEAM*" in table 1 of CPN's paper). The arithmetic is that of the released code, on any backbone. Other than
there, levels of unlike sizes are brought to one (`weakseg.methods.seam.pcm`), only the tagged classes are enlarged
before they are compared, and maps may be compared at their own size (``loss_stride``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Gt, Lt
from torch import Tensor
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.seam.consistency import (
    TaggedChannels,
    View,
    normalised,
    resized,
    strongest_class,
    with_own_background,
)
from weakseg.methods.seam.pcm import ContextCam, ContextSettings
from weakseg.settings import settings


@settings
class SeamSettings(ContextSettings):
    """Of `Seam`, each part by a switch. The released code has ``dropout`` 0.5 and one frozen level.

    Context "prcm" makes CPN's "SEAM*". With "none" the terms "cross" and "minimum" fall away.
    """

    scale: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Scale of the second view."""
    equivariance: bool = True
    """Use ER, the mean difference between the maps of both views."""
    cross: bool = True
    """Use ECR, the difference of each view's maps to the revised maps of the other."""


class Seam(ContextCam):
    """SEAM.

    Args:
        backbone: see `ContextCam`; the published one is WR38 at stride 8.
        n_classes: C.
        settings: see `SeamSettings`.
    """

    Settings = SeamSettings

    def __init__(self, backbone: Backbone, n_classes: int, settings: SeamSettings | None = None) -> None:
        settings = settings or SeamSettings()
        super().__init__(backbone, n_classes, settings)
        self.scale, self.equivariance, self.cross = settings.scale, settings.equivariance, settings.cross

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The terms "classification", "minimum", "equivariance" and "cross"; see `CamMethod.losses`."""
        if not self.warmed_up:
            return self.plain_losses(images, tags)
        smaller = F.interpolate(images, scale_factor=self.scale, mode="bilinear", align_corners=True)
        return self.terms([self.view(images), self.view(smaller)], tags)

    def terms(self, views: Sequence[View], tags: Tensor) -> dict[str, Tensor]:
        """The terms of the photos and the same photos made smaller, compared at the second view's size."""
        channels, size = TaggedChannels(tags), views[1].size
        picked = [channels.picked(view.revised, view.size) for view in views if view.revised is not None]
        found = self.common_terms(views, picked, tags)
        first, second = (resized(normalised(channels.picked(view.maps, view.size)), size) for view in views)
        if self.equivariance:
            found["equivariance"] = channels.difference(first, second)
        if self.cross and picked:
            # The maps get a background of their own; the revised ones keep the channel that PCM has revised.
            first, second = (strongest_class(with_own_background(maps.detach())) for maps in (first, second))
            revised_first, revised_second = (resized(normalised(maps), size) for maps in picked)
            found["cross"] = channels.hard_difference(second, revised_first, self.hard_share)
            found["cross"] += channels.hard_difference(first, revised_second, self.hard_share)
        return found
