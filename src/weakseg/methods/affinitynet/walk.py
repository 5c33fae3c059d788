"""AffinityNet's refinement step: class maps walk over the affinities of its trained network.

See docs/methods/affinitynet.md, "Transition matrix" and "Random walk".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, cast

import torch
from annotated_types import Interval
from torch.nn import functional as F

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.methods.affinitynet.affinity import feature_affinity
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.ops.pairs import Border
from weakseg.ops.random_walk import random_walk
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.refine.base import RefinementStep
from weakseg.settings import Positive, settings


@settings
class WalkSettings:
    """The random walk over AffinityNet's affinities."""

    beta: Positive = 8.0
    """Exponent of the affinities: higher keeps scores to pixels that are more alike."""
    log2_steps: Annotated[int, Interval(ge=0, le=12)] = 8
    """The walk takes 2^log2_steps steps."""
    border: Literal["crop", "all"] = "crop"
    """Which pairs count: of pixels that have all their partners inside the map, as released, or all."""


class Walk(RefinementStep):
    """The random walk of scores, from the maps averaged at the network's stride, enlarged bilinear afterwards."""

    Settings: ClassVar[type[Any]] = WalkSettings
    affinity: ClassVar[str | None] = "affinitynet"

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """Walk over the affinities of a photo."""
        own, model = self.settings, cast(AffinityNet, self.network)
        stride, radius = model.stride, model.radius
        height, width = maps.size
        padding = (0, -width % stride, 0, -height % stride)
        photo = photo_tensor(torch.from_numpy(image)).to(self.device)
        view = F.pad(scaled_view(photo, 1.0, model.mean, model.std), padding)
        features = model(view[None].contiguous(memory_format=torch.channels_last))
        # Small maps have no pixel with all its partners: there every pair counts.
        fits = features.shape[-2] >= radius and features.shape[-1] >= 2 * radius - 1
        border: Border = own.border if fits else "all"
        affinity = feature_affinity(features, radius, border=border, reduction=model.reduction)[0]
        pooled = F.avg_pool2d(F.pad(maps.full_scores().to(self.device), padding), stride)
        walked = random_walk(pooled, affinity, radius=radius, beta=own.beta, log2_steps=own.log2_steps)
        full = F.interpolate(walked[None], scale_factor=float(stride), mode="bilinear", align_corners=False)[0]
        return replace(maps, scores=full[:, :height, :width].cpu())
