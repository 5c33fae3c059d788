"""The settings of a run that are worth a line: those that were planned, else those that decide most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import STAGES
from weakseg.report.listing import recipe_settings, written

KEYS = (
    "data.long_side",
    "backbone.name",
    "backbone.weights",
    "backbone.output_stride",
    "classify.method",
    "classify.augment.crop",
    "classify.train.epochs",
    "classify.train.batch_size",
    "classify.train.lr",
    "localize.scales",
    "localize.flip",
    "relate.method",
    "refine.steps",
    "selftrain.train.epochs",
    "selftrain.train.lr",
    "segment.network",
    "segment.augment.crop",
    "segment.train.epochs",
    "segment.train.batch_size",
    "segment.train.lr",
    "predict.scales",
    "predict.crf",
)
"""Of a run that was not planned."""
LAST = ("augment", "train", "targets", "start", "checkpoint")
"""Of the section segment, what the last training alone reads; selftrain trains the same network."""


@dataclass(frozen=True)
class Setting:
    """A line of the table of settings.

    Attributes:
        key: with dots.
        value: as YAML writes it.
        reason: why it has this value, or what it is.
    """

    key: str
    value: str
    reason: str


def planned_settings(recipe: Recipe, reasons: Mapping[str, str]) -> list[Setting]:
    """The settings that have a reason and that a stage of the run reads, with their values.

    Args:
        recipe: the settings.
        reasons: by key with dots.
    """
    tree = recipe.model_dump(mode="json")
    found = []
    for key, reason in reasons.items():
        value: Any = tree
        for part in key.split("."):
            value = value.get(part, ...) if isinstance(value, dict) else ...
        if value is not ... and is_read(recipe, key):
            found.append(Setting(key, written(value), reason))
    return found


def is_read(recipe: Recipe, key: str) -> bool:
    """Whether a stage of the run reads a setting.

    Args:
        recipe: the settings.
        key: of the setting, with dots.
    """
    section, *_ = parts = key.split(".")
    if section in ("relate", "refine") and len(parts) > 2 and parts[1] not in ("backbone", "background"):
        chosen = [recipe.relate.method] if section == "relate" else recipe.refine.steps
        if parts[1] not in [name.replace("-", "_") for name in chosen]:
            return False
    if section == "segment" and "selftrain" in recipe.stages and parts[1] not in LAST:
        return True
    return section not in STAGES or section in recipe.stages or (section == "classify" and len(parts) < 3)


def key_settings(recipe: Recipe) -> list[Setting]:
    """The settings that decide most in the stages of a run, each with what it is."""
    return [
        Setting(key, value, text)
        for key, value, text in recipe_settings(recipe)
        if key in KEYS and is_read(recipe, key)
    ]
