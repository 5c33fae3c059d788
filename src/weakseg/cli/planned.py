"""A run that is planned first, or goes on with its plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.run import open_folder
from weakseg.planning.plan import DEFAULT, fit_plan, make_plan, planned_before
from weakseg.recipes.loading import load_recipe
from weakseg.report.run import run_and_draw
from weakseg.training.progress import say


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
    before = None if overwrite else planned_before(out)
    if before is not None:
        say(f"going on with the plan in {before} (--overwrite plans anew)", "dim")
        kept = None if overrides else before.read_text(encoding="utf-8")
        run_and_draw(load_recipe(str(before), [], overrides), data, out, written=kept)
        return
    source = open_source(data)
    plan = make_plan(source, recipe=recipe or DEFAULT, overrides=overrides)
    say(f"planned {plan.recipe.name} for {plan.photos.photos} photos; timing it on a few of them", "dim")
    plan, estimate = fit_plan(plan, source, minutes)
    say(f"the run takes {estimate.line()}")
    if minutes is not None and estimate.total > 60 * minutes:
        say(f"--minutes {minutes:g}: not to be had here; this is the shortest plan", "yellow")
    run_and_draw(plan.recipe, source, out, overwrite=overwrite, written=plan.to_yaml())
