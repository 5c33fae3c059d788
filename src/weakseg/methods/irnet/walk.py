"""IRNet's refinement step: class maps walk within the boundaries of its trained network.

See docs/methods/irnet.md, "Boundary walk".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, cast

import torch
from annotated_types import Interval
from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.methods.irnet.boundary_walk import full_size_scores, walk_within
from weakseg.methods.irnet.network import IRNet
from weakseg.ops.maps import resize_maps
from weakseg.ops.views import photo_tensor
from weakseg.refine.base import RefinementStep
from weakseg.settings import Positive, Range, settings


@settings
class BoundaryWalkSettings:
    """The random walk within IRNet's boundaries."""

    beta: Positive = 10.0
    """Exponent of the affinities: higher lets less pass a boundary."""
    log2_steps: Annotated[int, Interval(ge=0, le=12)] = 8
    """The walk takes 2^log2_steps steps."""
    radius: Range = 5
    """Pairs are closer than this many map pixels (4 photo pixels each)."""
    power: Positive = 1.0
    """Of the scores before the walk; IRNet has 1, SIPE 1.5."""


class BoundaryWalk(RefinementStep):
    """The random walk within boundaries; scores are divided by their maximum afterwards."""

    Settings: ClassVar[type[Any]] = BoundaryWalkSettings
    affinity: ClassVar[str | None] = "irnet"

    def __call__(self, image: Array, maps: ClassMaps) -> ClassMaps:
        """Walk within the boundaries of a photo."""
        own, model = self.settings, cast(IRNet, self.network)
        boundary, _ = model.maps(photo_tensor(torch.from_numpy(image)).to(self.device))
        start = walk_start(maps, boundary, own)
        walked = walk_within(start, boundary, radius=own.radius, beta=own.beta, log2_steps=own.log2_steps)
        return replace(maps, scores=full_size_scores(walked, maps.size).cpu())


def walk_start(maps: ClassMaps, boundary: Tensor, settings: BoundaryWalkSettings) -> Tensor:
    """The scores (K, h, w) that walk within a boundary map (h, w)."""
    return resize_maps(maps.scores.to(boundary.device), (boundary.shape[0], boundary.shape[1])) ** settings.power
