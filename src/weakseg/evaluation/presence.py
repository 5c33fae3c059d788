"""Photos whose maps or masks hold no pixel of their tags: counted after the stages that make them, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.refine.background import BackgroundSettings, add_background, foreground
from weakseg.training.ranks import shared_out

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
    photos = [sample for sample in images.samples if sample.tags]
    empty = 0
    for sample, seen in zip(photos, shared_out(photos, labels), strict=True):
        found = {images.classes.names[label - 1] for label in seen if 1 <= label <= len(images.classes)}
        tagged.update(sample.tags)
        without.update(tag for tag in sample.tags if tag not in found)
        empty += found.isdisjoint(sample.tags)
    classes = {name: {"tagged": tagged[name], "without": without[name]} for name in images.classes.names}
    return {"tagged": len(photos), "empty": empty, "classes": classes}


def presence_in_maps(images: ImageSet, read: Callable[[Sample], ClassMaps], background: BackgroundSettings) -> Presence:
    """Count on class maps, each at its own size, with a background."""

    def labels(sample: Sample) -> set[int]:
        return winners(read(sample), background)

    return count_presence(images, labels) | {"background": background.used()}


def winners(maps: ClassMaps, section: BackgroundSettings) -> set[int]:
    """The labels that win a pixel of maps (K, h, w) against the background of a rule."""
    if not foreground(maps).classes:
        return set()
    height, width = maps.scores.shape[1:]
    masked = add_background(replace(maps, size=(height, width)), section)
    return {masked.classes[int(channel)] for channel in masked.scores.argmax(dim=0).unique()}


def presence_in_masks(images: ImageSet, read: Callable[[Sample], Array]) -> Presence:
    """Count on masks, values as on disk."""

    def labels(sample: Sample) -> set[int]:
        return set(np.unique(images.classes.to_labels(read(sample))).tolist())

    return count_presence(images, labels)
