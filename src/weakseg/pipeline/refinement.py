"""The refinements that a recipe can name: each takes ClassMaps with background and gives one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.ops.affinity import feature_affinity
from weakseg.ops.maps import background_power, resize_maps
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.ops.walk import random_walk
from weakseg.pipeline.networks import affinity_network, trained
from weakseg.pipeline.recipe import Recipe, WalkStep

Refinement = Callable[[Array, ClassMaps], ClassMaps]


def add_background(maps: ClassMaps, *, alpha: float | None, threshold: float | None) -> ClassMaps:
    """Give maps a background channel: (1 - max)^alpha at full resolution, or the constant ``threshold``."""
    scores = resize_maps(maps.scores, maps.size)
    if alpha is not None:
        background = background_power(scores, alpha)
    else:
        background = scores.new_full((1, *maps.size), threshold or 0.0)
    return ClassMaps((0, *maps.classes), torch.cat([background, scores]), maps.size)


def walk(step: WalkStep, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """The random walk over the affinities of a trained AffinityNet (SPEC 2)."""
    model = trained(affinity_network(recipe, pretrained=False), weights, device)
    stride, radius = recipe.relate.stride, recipe.relate.radius

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        height, width = maps.size
        padding = (0, -width % stride, 0, -height % stride)
        photo = photo_tensor(torch.from_numpy(image)).to(device)
        view = F.pad(scaled_view(photo, 1.0, model.mean, model.std), padding)
        features = model(view[None].contiguous(memory_format=torch.channels_last))
        affinity = feature_affinity(features, radius, border=step.border)[0]
        pooled = F.avg_pool2d(F.pad(maps.scores.to(device), padding), stride)
        walked = random_walk(pooled, affinity, radius=radius, beta=step.beta, log2_steps=step.log2_steps)
        full = F.interpolate(walked[None], scale_factor=float(stride), mode="bilinear", align_corners=False)[0]
        return replace(maps, scores=full[:, :height, :width].cpu())

    return refine


def build_refinements(recipe: Recipe, affinity_weights: Path, device: torch.device) -> list[Refinement]:
    """The recipe's refinements, in order."""
    builders = {"walk": walk}
    return [builders[step.method](step, recipe, affinity_weights, device) for step in recipe.refine.steps]


def to_mask(maps: ClassMaps) -> tuple[Tensor, Tensor]:
    """The strongest label of each pixel and how strong it is.

    Returns:
        labels uint8 (H, W), and confidence float (H, W): the winner's share of the scores of its pixel.
    """
    scores = maps.scores.clamp(min=0)
    best, channel = scores.max(dim=0)
    labels = torch.tensor(maps.classes, dtype=torch.uint8)[channel]
    return labels, best / scores.sum(dim=0).clamp(min=1e-12)
