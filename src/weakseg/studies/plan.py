"""What an ablation will run: every row with every seed, checked before the first begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.data.source import Source
from weakseg.errors import WeaksegError, one_of
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.checks import check_lists, check_run
from weakseg.pipeline.rundir.run import Run, digest
from weakseg.recipes.loading import load_recipe, validate
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import STAGES, StageName
from weakseg.studies.study import Row, Study, key_of


@dataclass(frozen=True)
class Request:
    """An ablation as it is asked for.

    Attributes:
        study: its rows.
        data: source, as ``voc:PATH``.
        out: directory; the runs are ``out/ROW/seedN``.
        rows: labels of those to run; none for all.
        seeds: how many, counted from the recipe's.
        overlays: laid over every recipe.
        overrides: ``key.path=value`` for every row.
        until: last stage to run, beside evaluate.
        into: Markdown file with marks for the table.
    """

    study: Study
    data: str
    out: Path
    rows: Sequence[str] = ()
    seeds: int = 3
    overlays: Sequence[str] = ()
    overrides: Sequence[str] = ()
    until: str | None = None
    into: Path | None = None

    def identity(self) -> dict[str, Any]:
        """What may not change in a directory. Rows, seeds and stages may be added, and the hardware may change."""
        return {
            "study": self.study.name,
            "data": self.data,
            "overlays": list(self.overlays),
            "overrides": [text for text in self.overrides if not key_of(text).startswith("hardware")],
        }


@dataclass(frozen=True)
class Planned:
    """A run to be done."""

    row: Row
    recipe: Recipe
    run: Run

    @property
    def title(self) -> str:
        """How it is called on the screen."""
        return f"{self.row.label}, seed {self.recipe.seed}"


def make_plan(request: Request) -> list[Planned]:
    """All runs, seed by seed, so that the first seed gives a whole table.

    Raises:
        WeaksegError: a setting that no recipe has or allows, an override of what the study varies, no seeds.
    """
    if request.seeds < 1:
        raise WeaksegError(f"--seeds {request.seeds}: must be at least 1")
    varied = request.study.keys()
    for key in map(key_of, request.overrides):
        clash = next(
            (other for other in varied if f"{key}.".startswith(f"{other}.") or other.startswith(f"{key}.")), ""
        )
        if clash or key == "seed":
            raise WeaksegError(f"{key}: the ablation sets {clash or 'the seeds'} itself; leave the override out")
    recipes = [(row, _recipe(row, request)) for row in request.study.all_rows()]
    return [
        Planned(
            row,
            _changed(recipe, seed=recipe.seed + number),
            Run(request.out / row.folder / f"seed{recipe.seed + number}"),
        )
        for number in range(request.seeds)
        for row, recipe in recipes
    ]


def check_plan(plan: Sequence[Planned], source: Source) -> None:
    """Find what would stop a run only after others have taken hours: lists, networks and their options, weights.

    Raises:
        WeaksegError: naming the key and the row.
    """
    checked: set[str] = set()
    for planned in plan:
        try:
            _check(planned, source, checked)
        except WeaksegError as error:
            raise WeaksegError(f"{planned.row.label}: {error}") from error


def _check(planned: Planned, source: Source, checked: set[str]) -> None:
    recipe = planned.recipe
    check_lists(recipe, source)
    networks = {stage: digest([stage, ALL[stage].settings(recipe)]) for stage in recipe.stages}
    # Rows that differ in other stages have the same network.
    check_run(recipe, planned.run, source.classes, [stage for stage in networks if networks[stage] not in checked])
    checked.update(networks.values())


def _recipe(row: Row, request: Request) -> Recipe:
    study = request.study
    try:
        recipe = load_recipe(row.recipe, request.overlays, [*study.set, *request.overrides, *row.set])
    except WeaksegError as error:
        raise WeaksegError(f"{row.label}: {error}") from error
    wanted: tuple[StageName, ...] = study.stages or recipe.stages
    if request.until is not None:
        if request.until not in ALL:
            raise one_of("stage", request.until, ALL)
        last = STAGES.index(request.until)
        wanted = tuple(stage for stage in wanted if STAGES.index(stage) <= last or stage == "evaluate")
    return _changed(recipe, stages=[stage for stage in recipe.stages if stage in wanted])


def _changed(recipe: Recipe, **values: Any) -> Recipe:
    return validate(recipe.model_dump(mode="json") | values)
