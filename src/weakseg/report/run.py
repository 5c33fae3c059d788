"""A whole run with its pictures and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weakseg.data.source import Source
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import REPORT, Run
from weakseg.pipeline.stage import Context
from weakseg.recipes.loading import validate
from weakseg.recipes.recipe import Recipe
from weakseg.report.html.page import write_report
from weakseg.report.pictures import draw_pictures
from weakseg.training.launch import run_together, started
from weakseg.training.progress import is_quiet, quietly, warn


def run_and_draw(
    recipe: Recipe, data: str | Source, folder: Path, *, overwrite: bool = False, written: str | None = None
) -> Run:
    """Run a recipe, draw its contact sheets and write its report; see `weakseg.pipeline.execute.execute`.

    On several devices of this machine it starts a process for each, unless that was done by torchrun or srun.
    """
    own = recipe.hardware
    if own.devices > 1 and own.nodes == 1 and started() is None:
        # As a tree: the class of a recipe is made of what methods there are, and has no place to be found at.
        sent = recipe.model_dump(mode="json"), data, folder, overwrite, written, is_quiet()
        run_together(_in_a_process, sent, own.devices)
        return Run(folder)
    ended: list[Context] = []

    def show(context: Context) -> None:
        _draw(context)
        ended.append(context)

    run = execute(recipe, data, folder, overwrite=overwrite, written=written, show=show)
    for context in ended:
        if not (folder / REPORT).exists():
            _report(context)
    return run


def _in_a_process(
    tree: dict[str, Any], data: str | Source, folder: Path, overwrite: bool, written: str | None, quiet: bool
) -> None:
    with quietly(quiet):
        run_and_draw(validate(tree), data, folder, overwrite=overwrite, written=written)


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
