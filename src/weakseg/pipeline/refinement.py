"""The refinement that a recipe describes."""

from __future__ import annotations

from pathlib import Path

import torch

from weakseg.pipeline.networks import affinity_network
from weakseg.recipes.recipe import Recipe
from weakseg.refine.base import Refine
from weakseg.refine.registry import REFINEMENTS, one_after_the_other
from weakseg.training.checkpoint import trained


def build_refinement(recipe: Recipe, weights: Path, device: torch.device) -> Refine:
    """The recipe's steps, one after the other.

    Args:
        recipe: names them and their settings.
        weights: of the trained affinity network; not read where no step walks.
        device: where to compute.

    Raises:
        WeaksegError: the weights cannot be read.
    """
    section = recipe.refine
    steps = [(name, REFINEMENTS.get(name)) for name in section.steps]
    walks = any(step.affinity for _, step in steps)
    network = trained(affinity_network(recipe, pretrained=False), weights, device) if walks else None
    taken = [step(section.of(name), device, network if step.affinity else None) for name, step in steps]
    return one_after_the_other(taken, section.background)
