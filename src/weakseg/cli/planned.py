"""A run that is planned first, or goes on with its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.source import Source, open_source
from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.run import RECIPE, open_folder
from weakseg.planning.plan import DEFAULT, HEAD, Plan, changed_plan, fit_plan, make_plan, planned_before
from weakseg.planning.rehearsal import Estimate
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.recipe import Recipe
from weakseg.report.dryrun import DryRun, dry_run
from weakseg.report.ending import Ending
from weakseg.report.finished import FinishedRun
from weakseg.report.run import run_and_draw
from weakseg.training.progress import say, warn


def check_options(overlays: Sequence[str], *, minutes: float | None = None) -> None:
    """Raise WeaksegError for options that a run with or without a plan cannot take."""
    if overlays:
        raise WeaksegError(f"--with {overlays[0]}: a planned run takes no overlays; give settings as key.path=value")
    if minutes is not None:
        raise WeaksegError("--minutes cuts a plan: name no recipe, or add --plan")


@dataclass(frozen=True)
class Prepared:
    """All that a run needs.

    Attributes:
        recipe: the settings.
        data: the source, or the string that opens it.
        written: the recipe as text, to be kept with its comments.
        plan: where the recipe was planned just now.
        estimate: how long the plan takes here.
    """

    recipe: Recipe
    data: str | Source
    written: str | None = None
    plan: Plan | None = None
    estimate: Estimate | None = None

    def run(self, out: Path, *, overwrite: bool) -> Ending:
        """Run it into a directory, and draw and report what comes out."""
        run_and_draw(self.recipe, self.data, out, overwrite=overwrite, written=self.written)
        return Ending(FinishedRun(out))

    def dry_run(self, out: Path, *, overwrite: bool) -> DryRun:
        """Find what that would do."""
        return dry_run(self.recipe, self.data, out, overwrite=overwrite, plan=self.plan, estimate=self.estimate)


def planned(
    recipe: str | None,
    data: str,
    out: Path,
    overrides: Sequence[str],
    *,
    minutes: float | None,
    overwrite: bool,
    near: Path | None,
) -> Prepared:
    """Plan a recipe and say how long it takes here; where a planned run was begun, go on with its plan.

    Args:
        recipe: name or file; None for the project's own.
        data: the source.
        out: directory of the run.
        overrides: ``key.path=value`` texts over the plan.
        minutes: that the run may take; None for as long as it takes.
        overwrite: plan and start afresh, whatever run ``out`` holds.
        near: beside it the plan is timed, in a folder that goes; None for the system's place for such folders.

    Raises:
        WeaksegError: photos or settings that cannot be used.
    """
    open_folder(out)
    text = None if overwrite else planned_before(out)
    if text is not None:
        return _with_its_plan(text, recipe, data, out, overrides, minutes)
    source = open_source(data)
    plan = make_plan(source, recipe=recipe or DEFAULT, overrides=overrides)
    say(f"planned {plan.recipe.name} for {plan.photos.photos} photos; timing it on a few of them", "dim")
    plan, estimate = fit_plan(plan, source, minutes, near)
    say(f"the run takes {estimate.line()}")
    if minutes is not None and estimate.total > 60 * minutes:
        warn(
            f"--minutes {minutes:g}: not to be had here; this is the shortest plan, of one epoch a training: enough to "
            "try the commands, not for masks"
        )
    return Prepared(plan.recipe, source, plan.to_yaml(), plan, estimate)


def _with_its_plan(
    text: str, recipe: str | None, data: str, out: Path, overrides: Sequence[str], minutes: float | None
) -> Prepared:
    """The plan of a run, changed by overrides."""
    before, file = load_recipe(str(out / RECIPE), [], overrides), out / RECIPE
    if recipe is not None and load_recipe(recipe).name != before.name:
        raise WeaksegError(f"{out}: holds a run of {before.name}; choose another --out, or add --overwrite")
    say(f"going on with the plan in {file} (--overwrite plans anew and begins again)", "dim")
    if minutes is not None and f"for {minutes:g} minutes" not in text:
        warn("--minutes: the plan is made already; another --out plans for this time")
    source = open_source(data)
    photos = len(source.image_set(before.data.train))
    if not text.startswith(f"{HEAD} {photos} photos"):
        warn(f"the plan was made for other photos than these {photos}; --overwrite plans anew")
    return Prepared(before, source, changed_plan(text, before, overrides) if overrides else text)
