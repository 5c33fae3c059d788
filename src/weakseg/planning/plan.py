"""A plan: a recipe fitted to photos and machine, as a file that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from weakseg.data.source import Source
from weakseg.pipeline.rundir.run import RECIPE
from weakseg.planning.fingerprint import Fingerprint, Machine, fingerprint, this_machine
from weakseg.planning.minutes import fitted
from weakseg.planning.rehearsal import Estimate, rehearse
from weakseg.planning.rules import Choice, choices
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.shipped import recipe_files

DEFAULT = "auto"
"""The recipe that is planned where none is named."""
HEAD = "# Planned for"
"""How the file of a plan begins."""
GIVEN = "given"
"""The reason of what was set by hand."""


@dataclass(frozen=True)
class Plan:
    """A recipe that was planned.

    Attributes:
        base: name or file of the recipe.
        overrides: ``key.path=value`` texts, which go over the plan.
        made: the settings that depend on photos, machine and time.
        photos: what the photos are like.
        machine: what it was planned for.
    """

    base: str
    overrides: tuple[str, ...]
    made: tuple[Choice, ...]
    photos: Fingerprint
    machine: Machine

    @property
    def recipe(self) -> Recipe:
        """Ready to be run."""
        return load_recipe(self.base, _overlays(self.base), [*map(_written, self.made), *self.overrides])

    @property
    def given(self) -> list[str]:
        """The keys that the overrides set."""
        return [text.partition("=")[0].strip() for text in self.overrides]

    @property
    def reasons(self) -> dict[str, str]:
        """Why a setting has its value, by key, for what was planned or given."""
        return {choice.key: choice.reason for choice in self.made} | dict.fromkeys(self.given, GIVEN)

    def as_json(self) -> dict[str, Any]:
        """The recipe, why it is so, and what it is for; of what JSON can spell."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "reasons": self.reasons,
            "photos": asdict(self.photos),
            "machine": asdict(self.machine),
        }

    def to_yaml(self) -> str:
        """The recipe as a file: what was planned has its reason beside it."""
        photos = self.photos
        height, width = photos.size
        head = [
            f"{HEAD} {photos.photos} photos ({photos.untagged} without a tag) of about {width} x {height} px, "
            f"{'grey' if photos.grey else 'colour'}, {photos.classes} classes, {photos.tags:.1f} tags a tagged one,",
            f"# the rarest class on {photos.rarest} photos; {self.machine.cores} cores, "
            f"{self.machine.memory / (1 << 30):.1f} GiB of free memory, {'a' if self.machine.gpu else 'no'} GPU.",
            "# Run it with: weakseg run THIS_FILE --data SOURCE --out DIRECTORY",
        ]
        return as_text(self.recipe, head, self.reasons)


def make_plan(
    source: Source, *, recipe: str = DEFAULT, overrides: Sequence[str] = (), machine: Machine | None = None
) -> Plan:
    """Plan a recipe for the training list of a source. No mask is read.

    Args:
        source: the photos.
        recipe: name or file of the system to be planned.
        overrides: ``key.path=value`` texts, which go over the plan.
        machine: where it is going to run; by default this one.

    Raises:
        WeaksegError: photos or settings that cannot be used.
    """
    given = load_recipe(recipe, _overlays(recipe), overrides)
    photos, where = fingerprint(source, given.data.train), machine or this_machine()
    plan = Plan(recipe, tuple(overrides), tuple(choices(photos, where, given)), photos, where)
    _ = plan.recipe  # a wrong override is said here
    return plan


def fit_plan(
    plan: Plan, source: Source, minutes: float | None = None, near: Path | None = None
) -> tuple[Plan, Estimate]:
    """Rehearse a plan on a few of the photos, and cut it so that it takes no longer than ``minutes``.

    Args:
        plan: of `make_plan`.
        source: the photos that it is for.
        minutes: that the run may take; None for as long as it takes.
        near: where the run is going to be.

    Returns:
        the plan, and about how long it takes here, perhaps still longer than asked for.

    Raises:
        WeaksegError: what would stop the run itself.
    """
    estimate = rehearse(plan.recipe, source, near)
    if minutes is None:
        return plan, estimate
    changes, estimate = fitted(plan.recipe, estimate, minutes, plan.given)
    return replace(plan, made=(*plan.made, *changes)), estimate


def planned_before(folder: Path) -> str | None:
    """The text of a run's plan, where it was planned; else None."""
    file = folder / RECIPE
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return text if text.startswith(HEAD) else None


def changed_plan(text: str, recipe: Recipe, overrides: Sequence[str]) -> str:
    """The text of a plan after overrides: its head and its reasons stay.

    Args:
        text: the plan.
        recipe: what it has become.
        overrides: ``key.path=value`` texts that were laid over it.
    """
    head, reasons = plan_reasons(text)
    given = dict.fromkeys((override.partition("=")[0].strip() for override in overrides), GIVEN)
    return as_text(recipe, head, reasons | given)


def plan_reasons(text: str) -> tuple[list[str], dict[str, str]]:
    """What the text of a plan says beside its settings.

    Args:
        text: of `Plan.to_yaml` or `changed_plan`.

    Returns:
        the lines of its head, and by key with dots the reason of each setting that has one.
    """
    head = [line for line in text.splitlines() if line.startswith("#")]
    reasons: dict[str, str] = {}
    path: list[str] = []
    for line in text.splitlines():
        key, colon, rest = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        depth = (len(key) - len(key.lstrip())) // 2
        path = [*path[:depth], key.strip()]
        if "  # " in rest:
            reasons[".".join(path)] = rest.split("  # ", 1)[1]
    return head, reasons


def as_text(recipe: Recipe, head: Sequence[str], reasons: Mapping[str, str]) -> str:
    """A recipe as YAML with comments.

    Args:
        recipe: the settings.
        head: the first lines.
        reasons: by key with dots; each stands beside its value.
    """
    return "\n".join([*head, *_lines(recipe.model_dump(mode="json"), reasons)]) + "\n"


def _overlays(recipe: str) -> list[str]:
    """What makes a published recipe small enough to be planned for any machine; `DEFAULT` and files are as they are."""
    return ["small"] if recipe in recipe_files() and recipe != DEFAULT else []


def _written(choice: Choice) -> str:
    return f"{choice.key}={yaml.safe_dump(choice.value, default_flow_style=True).splitlines()[0]}"


def _lines(tree: Mapping[str, Any], reasons: Mapping[str, str], path: str = "") -> list[str]:
    """A tree as YAML, one setting a line, with a comment where there is a reason."""
    found = []
    for key, value in tree.items():
        place = f"{path}{key}"
        indent = "  " * place.count(".")
        if isinstance(value, Mapping) and value:
            found += [f"{indent}{key}:", *_lines(value, reasons, f"{place}.")]
            continue
        # JSON keeps a text of several lines on one.
        several = isinstance(value, str) and "\n" in value
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).splitlines()[0]
        text = json.dumps(value, ensure_ascii=False) if several else text
        line = f"{indent}{key}: {text}"
        found.append(f"{line:<40}  # {reasons[place]}" if place in reasons else line)
    return found
