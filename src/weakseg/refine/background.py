"""Background channels for the maps of a photo, by the rule of a recipe."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from weakseg.data.classmaps import ClassMaps
from weakseg.errors import WeaksegError
from weakseg.methods.registry import CAM_METHODS
from weakseg.ops.maps import background_power, resize_maps
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.sections import BackgroundSection


def add_background(maps: ClassMaps, section: BackgroundSection) -> ClassMaps:
    """Maps at the photo's size, the background channel first.

    Args:
        maps: with or without a background channel of the method's own; the rules constant and power leave it out.
        section: the rule.

    Returns:
        scores (K + 1, H, W) of the labels (0, ...). A photo without tags is background everywhere.

    Raises:
        WeaksegError: the rule is own and the maps have no background channel.
    """
    found = foreground(maps)
    if not found.classes:
        return ClassMaps((0,), maps.scores.new_ones(1, *maps.size), maps.size)
    scores = resize_maps(found.scores, maps.size)
    if section.rule == "power":
        channel = background_power(scores, section.alpha)
    elif section.rule == "constant":
        channel = scores.new_full((1, *maps.size), section.threshold)
    else:
        channel = section.weight * resize_maps(own_background(maps).scores, maps.size)
    return ClassMaps((0, *found.classes), torch.cat([channel, scores]), maps.size)


def foreground(maps: ClassMaps) -> ClassMaps:
    """The maps of the classes alone."""
    return ClassMaps(maps.classes[1:], maps.scores[1:], maps.size) if 0 in maps.classes[:1] else maps


def own_background(maps: ClassMaps) -> ClassMaps:
    """The method's own background channel alone. Raises WeaksegError for maps without one."""
    if 0 not in maps.classes[:1]:
        raise WeaksegError("the maps have no background channel: set the background rule to constant or power")
    return ClassMaps(maps.classes[:1], maps.scores[:1], maps.size)


def check_backgrounds(recipe: Recipe) -> None:
    """Raise WeaksegError if a rule is own and the recipe's CAM method makes no background channel."""
    having = [name for name, method in CAM_METHODS.items() if method.background]
    for key, section in _sections(recipe):
        if section.rule == "own" and recipe.classify.method not in having:
            methods = f", or classify.method to one of {', '.join(having)}" if having else ""
            raise WeaksegError(
                f"{key}.rule is own, but the CAM method {recipe.classify.method} makes no background channel: "
                f"set it to constant or power{methods}"
            )


def _sections(recipe: Recipe) -> Iterator[tuple[str, BackgroundSection]]:
    """The background sections that the recipe's stages read, by key."""
    if "localize" in recipe.stages:
        yield "localize.background", recipe.localize.background
    if "relate" in recipe.stages and recipe.relate.method == "irnet":
        yield "relate.irnet.foreground", recipe.relate.irnet.foreground
        yield "relate.irnet.background", recipe.relate.irnet.background
    if "refine" in recipe.stages:
        yield "refine.background", recipe.refine.background
