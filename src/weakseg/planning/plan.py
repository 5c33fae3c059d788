"""A plan: a recipe fitted to photos and machine, as a file that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

DEFAULT = "auto"
"""The recipe that is planned where none is named."""
HEAD = "# Planned for"
"""How the file of a plan begins."""


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

    def to_yaml(self) -> str:
        """The recipe as a file: what was planned has its reason beside it."""
        reasons = {choice.key: choice.reason for choice in self.made}
        reasons |= {text.partition("=")[0].strip(): "given" for text in self.overrides}
        photos, tree = self.photos, self.recipe.model_dump(mode="json")
        height, width = photos.size
        head = [
            f"{HEAD} {photos.photos} photos ({photos.untagged} without a tag) of about {width} x {height} px, "
            f"{'grey' if photos.grey else 'colour'}, {photos.classes} classes, {photos.tags:.1f} tags each,",
            f"# the rarest class on {photos.rarest} photos; {self.machine.cores} cores, "
            f"{self.machine.memory / (1 << 30):.1f} GiB of free memory, {'a' if self.machine.gpu else 'no'} GPU.",
            "# Run it with: weakseg run THIS_FILE --data SOURCE --out DIRECTORY",
        ]
        return "\n".join([*head, *_lines(tree, reasons)]) + "\n"


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
    base = load_recipe(recipe, _overlays(recipe))
    photos = fingerprint(source, load_recipe(recipe, _overlays(recipe), overrides).data.train)
    where = machine or this_machine()
    plan = Plan(recipe, tuple(overrides), tuple(choices(photos, where, base)), photos, where)
    _ = plan.recipe  # a wrong override is said here
    return plan


def fit_plan(plan: Plan, source: Source, minutes: float | None = None) -> tuple[Plan, Estimate]:
    """Rehearse a plan on a few of the photos, and cut it so that it takes no longer than ``minutes``.

    Args:
        plan: of `make_plan`.
        source: the photos that it is for.
        minutes: that the run may take; None for as long as it takes.

    Returns:
        the plan, and about how long it takes here, perhaps still longer than asked for.

    Raises:
        WeaksegError: what would stop the run itself.
    """
    estimate = rehearse(plan.recipe, source)
    if minutes is None:
        return plan, estimate
    changes, estimate = fitted(plan.recipe, estimate, minutes)
    return replace(plan, made=(*plan.made, *changes)), estimate


def planned_before(folder: Path) -> Path | None:
    """The recipe of a run that was planned, where there is one: the same command goes on with it."""
    file = folder / RECIPE
    if not file.is_file():
        return None
    return file if file.read_text(encoding="utf-8", errors="replace").startswith(HEAD) else None


def _overlays(recipe: str) -> list[str]:
    """What makes a published recipe small enough to be planned for any machine; `DEFAULT` is."""
    return [] if recipe == DEFAULT else ["small"]


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
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).splitlines()[0]
        line = f"{indent}{key}: {text}"
        found.append(f"{line:<40}  # {reasons[place]}" if place in reasons else line)
    return found
