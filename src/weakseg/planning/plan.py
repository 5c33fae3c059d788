"""A plan: a recipe fitted to photos and machine, as a file that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from weakseg.data.source import Source
from weakseg.planning.fingerprint import Fingerprint, Machine, fingerprint, this_machine
from weakseg.planning.rules import Choice, choices
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.recipe import Recipe

DEFAULT = "irnet"
"""The recipe that reaches the best masks of those shipped."""


@dataclass(frozen=True)
class Plan:
    """A recipe that was planned.

    Attributes:
        recipe: ready to be run.
        made: the settings that depend on photos and machine.
        photos: what the photos are like.
        machine: what it was planned for.
    """

    recipe: Recipe
    made: tuple[Choice, ...]
    photos: Fingerprint
    machine: Machine

    def to_yaml(self) -> str:
        """The recipe as a file: what was planned has its reason beside it."""
        reasons = {choice.key: choice.reason for choice in self.made}
        photos, tree = self.photos, self.recipe.model_dump(mode="json")
        height, width = photos.size
        head = [
            f"# Planned for {photos.photos} photos ({photos.untagged} without a tag) of about {width} x {height} px, "
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
    base = load_recipe(recipe, ["small"], overrides)
    photos = fingerprint(source, base.data.train)
    where = machine or this_machine()
    made = tuple(choices(photos, where))
    planned = load_recipe(recipe, ["small"], [*map(_written, made), *overrides])
    return Plan(planned, made, photos, where)


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
