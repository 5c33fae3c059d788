"""The refinement steps by name, and several of them one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.ops.tiles import enlarged
from weakseg.refine.background import BackgroundSettings, add_background, foreground
from weakseg.refine.base import Refine, RefinementStep
from weakseg.registry import Registry

REFINEMENTS: Registry[type[RefinementStep]] = Registry(
    "refinement",
    "weakseg.refinements",
    {
        "background": "weakseg.refine.background:Background",
        "walk": "weakseg.methods.affinitynet.walk:Walk",
        "boundary_walk": "weakseg.methods.irnet.walk:BoundaryWalk",
        "pamr": "weakseg.refine.steps:Pamr",
        "crf": "weakseg.refine.steps:Crf",
    },
)
"""Refinement steps: subclasses of `RefinementStep`."""


def one_after_the_other(steps: Sequence[Refine], background: BackgroundSettings) -> Refine:
    """Steps in order. A photo without tags becomes background everywhere.

    Args:
        steps: to be taken.
        background: the rule of the step that adds it. A background channel of the CAM method's own that the rule is
            going to leave out does not compete in the steps before.
    """

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        if not foreground(maps).classes:
            return add_background(maps, background)
        maps = maps if background.rule == "own" else foreground(maps)
        for step in steps:
            maps = step(image, maps)
        return maps

    return refine


def to_mask(maps: ClassMaps, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """The strongest label of each pixel and how strong it is.

    Args:
        maps: scores of a photo, perhaps at a working size.
        size: (H, W) of the photo itself; None for that of the maps.

    Returns:
        labels uint8 (H, W), and confidence float (H, W): the winner's share of the scores of its pixel.
    """
    scores = maps.full_scores().clamp(min=0)
    labels = torch.tensor(maps.classes, dtype=torch.uint8)
    parts = []
    for rows in enlarged(scores, size or maps.size):
        best, channel = rows.max(dim=0)
        parts.append((labels[channel], best / rows.sum(dim=0).clamp(min=1e-12)))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
