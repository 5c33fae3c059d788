"""AE-SIPE: SIPE whose image-specific maps are refined by the colours of the photo and made again.

Im, An and Lee, Affinity Enhanced Image-Specific Prototypes for Weakly Supervised Semantic Segmentation, Journal of
Broadcast Engineering 29(1), 2024, doi 10.5909/JBE.2024.29.1.10.

PAMR (Araslanov and Roth, CVPR 2020) pulls the image-specific maps to the edges in the photo; the strongest channel of
every pixel is then a new seed, its prototype a better one, and the maps made of these are the result. Hierarchical
features tell in training, too, which pixels look alike.

Published, mIoU of the maps on VOC train without and with dense CRF: SIPE 58.6 / 64.7, with this refinement 64.2 / 66.6,
with hierarchical features 65.4 / 66.9, with normalisation 65.4 / 66.9, with the background times 0.8 65.8 / 67.8; final
network 71.0 / 71.1 on val / test. Other arrangements (`steps`): (Pr, IS) 59.5 / 65.1, (Pr, IS, PAMR, Pr, IS)
56.6 / 58.7, (PAMR, Pr, IS, Pr, IS) 62.3 / 65.4; the default is (PAMR, Pr, IS).

Other than the released code, PAMR is given the channels of tagged classes only: the others are zero before and after.
PAMR's kernel is an exponential of the absolute difference, as in the released code, or the Gaussian that the paper
writes.

See docs/methods/sipe.md, "Second prototypes" and "PAMR kernel".
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from weakseg.backbones.backbone import Backbone
from weakseg.methods.sipe.hierarchy import resized
from weakseg.methods.sipe.prototypes import class_prototypes, image_specific_maps, winners
from weakseg.methods.sipe.sipe import Sipe, SipeSettings, Structure
from weakseg.ops.maps import max_normalise, min_max_normalise
from weakseg.ops.pamr import Kernel, pamr
from weakseg.settings import settings

Step = Literal["pamr", "prototypes"]
Normalisation = Literal["none", "max", "min-max"]

PAMR_STRIDE = 4
"""PAMR works on the photo with both sides divided by this."""


@settings
class AeSipeSettings(SipeSettings):
    """Of `AeSipe`."""

    steps: tuple[Step, ...] = ("pamr", "prototypes")
    """What follows SIPE's image-specific maps: "pamr" refines the maps, "prototypes" makes prototypes of their winners
    and maps of these (the paper's "Pr, IS"). No steps: SIPE."""
    normalise: Normalisation = "max"
    """The maps of each scale before they are summed: by their maximum ("max") as in the released code, from minimum to
    maximum ("min-max") as in the paper, or "none"."""
    pamr_kernel: Kernel = "exponential"
    """How PAMR's weights fall with the distance of colours: "exponential" as in the released code, "gaussian" as in the
    paper."""
    train_structure: Structure = "hierarchical"
    """Features that tell in training which pixels look alike."""

    def __post_init__(self) -> None:
        if self.steps and self.steps[-1] == "pamr":
            raise ValueError("steps of AE-SIPE: PAMR has no gradient; let prototypes be the last step")


class AeSipe(Sipe):
    """SIPE with steps after its image-specific maps.

    Args:
        backbone: as for `Sipe`.
        n_classes: C.
        settings: see `AeSipeSettings`.
    """

    Settings = AeSipeSettings

    def __init__(self, backbone: Backbone, n_classes: int, settings: AeSipeSettings | None = None) -> None:
        settings = settings or AeSipeSettings()
        super().__init__(backbone, n_classes, settings)
        self.steps, self.normalise, self.pamr_kernel = settings.steps, settings.normalise, settings.pamr_kernel

    def specific_maps(
        self, general: Tensor, structure: Tensor, features: Tensor, allowed: Tensor, images: Tensor
    ) -> Tensor:
        """SIPE's image-specific maps, then the steps, then the normalisation; see `Sipe.specific_maps`."""
        maps = super().specific_maps(general, structure, features, allowed, images)
        for step in self.steps:
            if step == "pamr":
                maps = self._refined(maps, allowed, images)
            else:
                maps = image_specific_maps(class_prototypes(winners(maps), features), features)
        if self.normalise == "none":
            return maps
        rule = max_normalise if self.normalise == "max" else min_max_normalise
        return rule(maps.flatten(0, 1)).view_as(maps)

    @torch.no_grad()
    def _refined(self, maps: Tensor, allowed: Tensor, images: Tensor) -> Tensor:
        """PAMR on the photo at a quarter of its size; maps (N, K, h, w) -> (N, K, h, w)."""
        small = resized(images, [max(1, side // PAMR_STRIDE) for side in images.shape[2:]])
        colours = small * small.new_tensor(self.std).view(3, 1, 1) + small.new_tensor(self.mean).view(3, 1, 1)
        tagged = allowed.amax(dim=(2, 3))
        kept = tagged.topk(max(1, int(tagged.sum(dim=1).max())), dim=1).indices[..., None, None]
        refined = pamr(colours, maps.gather(1, kept.expand(-1, -1, *maps.shape[2:])), kernel=self.pamr_kernel)
        refined = resized(refined, maps.shape[2:])
        return torch.zeros_like(maps).scatter_(1, kept.expand_as(refined), refined.to(maps.dtype))
