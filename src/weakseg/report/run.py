"""A whole run with its pictures and its report."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.source import Source
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import REPORT, Run
from weakseg.pipeline.stage import Context
from weakseg.recipes.recipe import Recipe
from weakseg.report.html.page import write_report
from weakseg.report.pictures import draw_pictures
from weakseg.training.progress import warn


def run_and_draw(
    recipe: Recipe, data: str | Source, folder: Path, *, overwrite: bool = False, written: str | None = None
) -> Run:
    """Run a recipe, draw its contact sheets and write its report; see `weakseg.pipeline.execute.execute`."""
    ended: list[Context] = []

    def show(context: Context) -> None:
        _draw(context)
        ended.append(context)

    run = execute(recipe, data, folder, overwrite=overwrite, written=written, show=show)
    for context in ended:
        if context.fabric.is_global_zero and not (folder / REPORT).exists():
            _report(context)
    return run


def _draw(context: Context) -> None:
    """Draw what there is to see of an evaluated run, where it is not drawn yet."""
    if "evaluate" in context.recipe.stages and not (context.run.folder / "pictures").exists():
        draw_pictures(context, *context.scored_lists())


def _report(context: Context) -> None:
    """Write the report of a finished run; whatever goes wrong with it, the run is done and stays."""
    folder = context.run.folder
    try:
        write_report(folder, context=context)
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        warn(f"{REPORT}: could not be made ({line}); the run is complete, `weakseg report {folder}` tries again")
