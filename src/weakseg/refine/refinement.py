"""The refinements that a recipe can name: each takes the ClassMaps of a photo and gives one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array
from weakseg.methods.affinitynet.affinity import feature_affinity
from weakseg.methods.irnet.boundary_walk import full_size_scores, walk_within
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels, unary_from_scores
from weakseg.ops.maps import resize_maps
from weakseg.ops.pairs import Border
from weakseg.ops.pamr import pamr
from weakseg.ops.random_walk import random_walk
from weakseg.ops.tiles import enlarged
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.pipeline.networks import affinity_network, boundary_network, trained
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.refine_sections import BoundaryWalkSection, CrfSection, PamrSection, WalkSection
from weakseg.recipes.sections import BackgroundSection
from weakseg.refine.background import add_background, foreground

Refinement = Callable[[Array, ClassMaps], ClassMaps]


def background(section: BackgroundSection, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """A background channel at full resolution, by the recipe's rule."""
    return lambda image, maps: add_background(maps, section)


def walk(section: WalkSection, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """The random walk over the affinities of a trained AffinityNet (SPEC 2)."""
    model = trained(affinity_network(recipe, pretrained=False), weights, device)
    stride, radius = recipe.relate.affinitynet.stride, recipe.relate.affinitynet.radius

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        height, width = maps.size
        padding = (0, -width % stride, 0, -height % stride)
        photo = photo_tensor(torch.from_numpy(image)).to(device)
        view = F.pad(scaled_view(photo, 1.0, model.mean, model.std), padding)
        features = model(view[None].contiguous(memory_format=torch.channels_last))
        # Small maps have no pixel with all its partners: there every pair counts.
        fits = features.shape[-2] >= radius and features.shape[-1] >= 2 * radius - 1
        border: Border = section.border if fits else "all"
        affinity = feature_affinity(features, radius, border=border, reduction=model.reduction)[0]
        pooled = F.avg_pool2d(F.pad(resize_maps(maps.scores, maps.size).to(device), padding), stride)
        walked = random_walk(pooled, affinity, radius=radius, beta=section.beta, log2_steps=section.log2_steps)
        full = F.interpolate(walked[None], scale_factor=float(stride), mode="bilinear", align_corners=False)[0]
        return replace(maps, scores=full[:, :height, :width].cpu())

    return refine


def boundary_walk(section: BoundaryWalkSection, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """The random walk within the boundaries of a trained IRNet; scores divided by their maximum (SPEC 3 and 7)."""
    model = trained(boundary_network(recipe, pretrained=False), weights, device)
    options = section.model_dump(exclude={"power"})

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        boundary, _ = model.maps(photo_tensor(torch.from_numpy(image)).to(device))
        walked = walk_within(walk_start(maps, boundary, section), boundary, **options)
        return replace(maps, scores=full_size_scores(walked, maps.size).cpu())

    return refine


def walk_start(maps: ClassMaps, boundary: Tensor, section: BoundaryWalkSection) -> Tensor:
    """The scores (K, h, w) that walk within a boundary map (h, w)."""
    return resize_maps(maps.scores.to(boundary.device), (boundary.shape[0], boundary.shape[1])) ** section.power


def pamr_step(section: PamrSection, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """Pixel-adaptive mask refinement at full resolution (SPEC 8)."""
    options = section.model_dump()

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        photo = photo_tensor(torch.from_numpy(image)).to(device).float()[None] / 255
        scores = pamr(photo, maps.scores.to(device)[None], **options)
        return replace(maps, scores=scores[0].cpu())

    return refine


def crf(section: CrfSection, recipe: Recipe, weights: Path, device: torch.device) -> Refinement:
    """Dense CRF at full resolution (SPEC 1.7)."""

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        scores = resize_maps(maps.scores, maps.size).to(device)
        if section.certainty is None:
            unary = unary_from_scores(scores)
        else:
            unary = unary_from_labels(scores.argmax(dim=0), len(scores), section.certainty)
        return replace(maps, scores=dense_crf(image, unary, PRESETS[section.preset]).cpu())

    return refine


BUILDERS: dict[str, Callable[[Any, Recipe, Path, torch.device], Refinement]] = {
    "background": background,
    "walk": walk,
    "boundary_walk": boundary_walk,
    "pamr": pamr_step,
    "crf": crf,
}


def build_refinement(recipe: Recipe, affinity_weights: Path, device: torch.device) -> Refinement:
    """The recipe's refinements, one after the other. A photo without tags becomes background everywhere."""
    section = recipe.refine
    steps = [BUILDERS[name](getattr(section, name), recipe, affinity_weights, device) for name in section.steps]

    def refine(image: Array, maps: ClassMaps) -> ClassMaps:
        if not foreground(maps).classes:
            return add_background(maps, section.background)
        # A background channel that the rule is going to leave out must not compete in the steps before.
        maps = maps if section.background.rule == "own" else foreground(maps)
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
    scores = resize_maps(maps.scores, maps.size).clamp(min=0)
    labels = torch.tensor(maps.classes, dtype=torch.uint8)
    parts = []
    for rows in enlarged(scores, size or maps.size):
        best, channel = rows.max(dim=0)
        parts.append((labels[channel], best / rows.sum(dim=0).clamp(min=1e-12)))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
