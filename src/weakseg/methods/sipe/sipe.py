"""SIPE: self-supervised image-specific prototype exploration (Chen et al., CVPR 2022).

Every photo gets prototypes of its own. Structure seeds grow the class maps to what looks alike (section 3.2), the mean
feature of a seed is its prototype, and the likeness of every pixel to it is the image-specific map (section 3.3). The
general-specific consistency pulls the class maps of the network and the image-specific maps together (section 3.4).

Published: 58.65 mIoU of the maps on VOC train, 58.88 from the released code; with IRNet 68.2 / 69.5 of the final
network on val / test with WideResNet-38, 68.8 / 69.7 with ResNet-101.

Other than the released code, this file never holds the similarities of all pixels for all classes at once (see
`weakseg.methods.sipe.prototypes`), keeps the finest side branches off backbones with fewer levels, and can drop
features of the classification loss (`dropout`; the released code has none).

See docs/methods/sipe.md, whose V is the guide "valid" here: 1 inside the photo, 0 in the padding of a crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.base import CamMethod, CamSettings
from weakseg.methods.sipe.hierarchy import HierarchicalFeatures, resized
from weakseg.methods.sipe.prototypes import class_prototypes, image_specific_maps, maps_with_background, structure_seeds
from weakseg.settings import settings

Structure = Literal["coarsest", "hierarchical"]


@settings
class SipeSettings(CamSettings):
    """Of `Sipe`; the released code has 3 ``frozen_levels`` (up to layer2 of a ResNet)."""

    train_structure: Structure = "coarsest"
    """Features that tell in training which pixels look alike: the "coarsest" level as in the released code, or the
    "hierarchical" features of the side branches."""
    infer_structure: Structure = "hierarchical"
    """The same at inference; the released code has "hierarchical" there."""


class Sipe(CamMethod):
    """A plain CAM network with image-specific maps from side branches.

    Args:
        backbone: its four coarsest levels are used, or as many as it has.
        n_classes: C.
        settings: see `SipeSettings`.

    Raises:
        WeaksegError: more ``frozen_levels`` than the backbone has.
    """

    Settings: ClassVar[type[CamSettings]] = SipeSettings
    background: ClassVar[bool] = True
    guides: Mapping[str, Mapping[str, Any]] = {"valid": {}}
    RELEASED: ClassVar[Mapping[str, str]] = {
        "classifier.": "classifier.",
        **{f"side{number + 1}.": f"hierarchy.sides.{number}." for number in range(4)},
    }
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(self, backbone: Backbone, n_classes: int, settings: SipeSettings | None = None) -> None:
        settings = settings or SipeSettings()
        super().__init__(backbone, n_classes, settings)
        self.train_structure, self.infer_structure = settings.train_structure, settings.infer_structure
        self.hierarchy = HierarchicalFeatures(backbone.channels)

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""
        return self._pooled(self.backbone(images)[-1])

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The terms "classification" and, once warmed up, "consistency" (GSC); see `CamMethod.losses`.

        Args:
            images: normalised, (N, 3, H, W).
            tags: float zeros and ones, (N, C).
            guides: one, "valid": 1 inside the photo, 0 in the crop's padding, (N, H, W).
        """
        levels = self.backbone(images)
        terms = {"classification": F.multilabel_soft_margin_loss(self._pooled(levels[-1]), tags)}
        if self.warmed_up:
            features = self.hierarchy(levels)
            allowed = allowed_channels(tags, guides[0], features.shape[2:])
            general = self._general(self.classifier(levels[-1]), features) * allowed
            structure = features if self.train_structure == "hierarchical" else levels[-1]
            specific = self.specific_maps(general, structure, features, allowed, images)
            terms["consistency"] = F.l1_loss(general, self.merge(specific.flatten(0, 1)).view_as(specific))
        return terms

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Image-specific maps, background first; the flip is merged before they are made. See `CamMethod.scale_maps`.

        Returns:
            (C + 1, h', w') at the stride of the second coarsest level; zeros for untagged classes.
        """
        levels = self.backbone(views)
        features = _flip_merged(self.hierarchy(levels))
        general = self._general(_flip_merged(self.classifier(levels[-1])), features)
        structure = features if self.infer_structure == "hierarchical" else _flip_merged(levels[-1])
        # The maps keep untagged classes: a pixel that they win is no seed of any other class.
        allowed = F.pad(tags, (1, 0), value=1.0).view(1, -1, 1, 1)
        return self.specific_maps(general, structure, features, allowed, views[:1])[0]

    def specific_maps(
        self, general: Tensor, structure: Tensor, features: Tensor, allowed: Tensor, images: Tensor
    ) -> Tensor:
        """From the network's maps to image-specific maps.

        Args:
            general: maps with background, (N, C + 1, h, w) in [0, 1].
            structure: features that tell which pixels look alike, (N, D, h', w').
            features: hierarchical, of which prototypes are made, (N, 768, h, w) on a backbone with four levels.
            allowed: 1 where a channel may have seeds, else 0; (N, C + 1, h, w) or (N, C + 1, 1, 1).
            images: the normalised photos, (N, 3, H, W).

        Returns:
            (N, C + 1, h, w) in [0, 1].
        """
        seeds = structure_seeds(general, resized(structure, general.shape[2:])) * allowed
        return image_specific_maps(class_prototypes(seeds, features), features)

    def _pooled(self, coarsest: Tensor) -> Tensor:
        scores: Tensor = self.classifier(F.adaptive_avg_pool2d(self.dropout(coarsest), 1))
        return scores.flatten(1)

    def _general(self, logits: Tensor, features: Tensor) -> Tensor:
        return resized(maps_with_background(logits), features.shape[2:])


def allowed_channels(tags: Tensor, valid: Tensor, size: tuple[int, ...]) -> Tensor:
    """Where each channel may be: background in the photo, a class in the photo where it is tagged.

    Args:
        tags: float zeros and ones, (N, C).
        valid: 1 inside the photo, 0 in the crop's padding, (N, H, W).
        size: (h, w) of the result.

    Returns:
        float zeros and ones, (N, C + 1, h, w).
    """
    inside = F.interpolate(valid[:, None].to(tags.dtype), size, mode="nearest")
    return inside * F.pad(tags, (1, 0), value=1.0)[..., None, None]


def _flip_merged(views: Tensor) -> Tensor:
    """What was computed of a photo and its mirror image, the latter flipped back and added: (1, C, h, w)."""
    return views[:1] + views[1:].flip(-1) if len(views) == 2 else views
