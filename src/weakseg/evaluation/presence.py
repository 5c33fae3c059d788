"""Photos whose maps or masks hold no pixel of their tags: counted after localize and refine, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import read_mask
from weakseg.data.sample import ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.stage import Context
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.sections import BackgroundSection
from weakseg.refine.background import add_background, foreground
from weakseg.training.progress import say

Presence = dict[str, Any]
"""tagged: photos with tags; empty: those without a pixel of any of their tags; classes: per class, photos with its tag
and those of them without a pixel of it. Of maps also the background that they were judged with."""


def count_presence(images: ImageSet, labels: Callable[[Sample], Collection[int]]) -> Presence:
    """Count the tagged photos in which some or all of the tags have no pixel.

    Args:
        images: photos with tags.
        labels: a photo's labels that have a pixel, c + 1 for class c.
    """
    tagged, without = Counter[str](), Counter[str]()
    photos = empty = 0
    for sample in images.samples:
        if not sample.tags:
            continue
        photos += 1
        found = {images.classes.names[label - 1] for label in labels(sample) if 1 <= label <= len(images.classes)}
        tagged.update(sample.tags)
        without.update(tag for tag in sample.tags if tag not in found)
        empty += found.isdisjoint(sample.tags)
    classes = {name: {"tagged": tagged[name], "without": without[name]} for name in images.classes.names}
    return {"tagged": photos, "empty": empty, "classes": classes}


def presence_in_maps(context: Context) -> Presence:
    """Count on the maps of localize, each at its own size, with the recipe's background."""
    section = context.recipe.localize.background

    def labels(sample: Sample) -> set[int]:
        return winners(load_maps(context.maps_path(sample)), section)

    return count_presence(context.train, labels) | {"background": section.used()}


def winners(maps: ClassMaps, section: BackgroundSection) -> set[int]:
    """The labels that win a pixel of maps (K, h, w) against the background of a rule."""
    if not foreground(maps).classes:
        return set()
    height, width = maps.scores.shape[1:]
    masked = add_background(replace(maps, size=(height, width)), section)
    return {masked.classes[int(channel)] for channel in masked.scores.argmax(dim=0).unique()}


def presence_in_masks(context: Context) -> Presence:
    """Count on the masks that refine has written."""
    classes = context.train.classes

    def labels(sample: Sample) -> set[int]:
        return set(np.unique(classes.to_labels(read_mask(context.pseudo_mask_path(sample)))).tolist())

    return count_presence(context.train, labels)


def presence_line(stage: str, presence: Presence) -> str | None:
    """What is missing, in one line; None where every tag has a pixel."""
    lacking = {name: counts for name, counts in presence["classes"].items() if counts["without"]}
    if not lacking:
        return None
    counts = ", ".join(f"{name} {each['without']} of {each['tagged']}" for name, each in lacking.items())
    return (
        f"{stage}: {presence['empty']} of {presence['tagged']} tagged photos have no pixel of their tags "
        f"(without a pixel of the class: {counts})"
    )


def remedy(recipe: Recipe, stage: str) -> str:
    """What to do about masks without a pixel of their tags."""
    section = recipe.localize.background if stage == "localize" else recipe.refine.background
    key = f"{stage}.background"
    ways = {
        "constant": f"lower {key}.threshold (now {section.threshold:g})",
        "power": f"raise {key}.alpha (now {section.alpha:g})",
        "own": f"lower {key}.weight (now {section.weight:g})",
    }
    return (
        f"see whether the classifier has learnt the tags (classify.train.epochs is {recipe.classify.train.epochs}, "
        f"more photos help too), and {ways[section.rule]}"
    )


def report_presence(recipe: Recipe, stage: str, presence: Presence) -> None:
    """Say what is missing after a stage.

    Raises:
        WeaksegError: after refine, if no tagged photo has a pixel of its tags: nothing could be learnt from the masks.
    """
    line = presence_line(stage, presence)
    if line is None:
        return
    if stage == "refine" and presence["empty"] == presence["tagged"]:
        raise WeaksegError(
            f"{line}: all pseudo masks are empty, nothing can be learnt from them; {remedy(recipe, stage)}"
        )
    say(line, "yellow")
