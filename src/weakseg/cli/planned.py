"""A run that is planned first, or goes on with its plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.run import RECIPE, open_folder
from weakseg.planning.plan import DEFAULT, HEAD, changed_plan, fit_plan, make_plan, planned_before
from weakseg.recipes.loading import load_recipe
from weakseg.report.run import run_and_draw
from weakseg.training.progress import say, warn


def check_options(overlays: Sequence[str], *, minutes: float | None = None) -> None:
    """Raise WeaksegError for options that a run with or without a plan cannot take."""
    if overlays:
        raise WeaksegError(f"--with {overlays[0]}: a planned run takes no overlays; give settings as key.path=value")
    if minutes is not None:
        raise WeaksegError("--minutes cuts a plan: name no recipe, or add --plan")


def run_planned(
    recipe: str | None, data: str, out: Path, overrides: Sequence[str], *, minutes: float | None, overwrite: bool
) -> None:
    """Plan a recipe, say how long it takes here, and run it; where a planned run was begun, go on with its plan.

    Args:
        recipe: name or file; None for the project's own.
        data: the source.
        out: directory of the run.
        overrides: ``key.path=value`` texts over the plan.
        minutes: that the run may take; None for as long as it takes.
        overwrite: plan and start afresh, whatever run ``out`` holds.

    Raises:
        WeaksegError: photos or settings that cannot be used.
    """
    open_folder(out)
    text = None if overwrite else planned_before(out)
    if text is not None:
        _go_on(text, recipe, data, out, overrides, minutes)
        return
    source = open_source(data)
    plan = make_plan(source, recipe=recipe or DEFAULT, overrides=overrides)
    say(f"planned {plan.recipe.name} for {plan.photos.photos} photos; timing it on a few of them", "dim")
    plan, estimate = fit_plan(plan, source, minutes, out)
    say(f"the run takes {estimate.line()}")
    if minutes is not None and estimate.total > 60 * minutes:
        warn(f"--minutes {minutes:g}: not to be had here; this is the shortest plan")
    run_and_draw(plan.recipe, source, out, overwrite=overwrite, written=plan.to_yaml())


def _go_on(
    text: str, recipe: str | None, data: str, out: Path, overrides: Sequence[str], minutes: float | None
) -> None:
    """Go on with the plan of a run, changed by overrides."""
    planned, file = load_recipe(str(out / RECIPE), [], overrides), out / RECIPE
    if recipe is not None and load_recipe(recipe).name != planned.name:
        raise WeaksegError(f"{out}: holds a run of {planned.name}; choose another --out, or add --overwrite")
    say(f"going on with the plan in {file} (--overwrite plans anew)", "dim")
    if minutes is not None:
        warn("--minutes: the plan is made already; add --overwrite to cut it")
    source = open_source(data)
    photos = len(source.image_set(planned.data.train))
    if not text.startswith(f"{HEAD} {photos} photos"):
        warn(f"the plan was made for other photos than these {photos}; --overwrite plans anew")
    kept = changed_plan(text, planned, overrides) if overrides else text
    run_and_draw(planned, source, out, written=kept)
