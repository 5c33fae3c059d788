"""A whole run with its pictures."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.source import Source
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import Run
from weakseg.pipeline.stage import Context
from weakseg.recipes.recipe import Recipe
from weakseg.report.pictures import draw_pictures


def run_and_draw(
    recipe: Recipe, data: str | Source, folder: Path, *, overwrite: bool = False, written: str | None = None
) -> Run:
    """Run a recipe and draw its contact sheets; see `weakseg.pipeline.execute.execute`."""
    return execute(recipe, data, folder, overwrite=overwrite, written=written, show=_draw)


def _draw(context: Context) -> None:
    """Draw what there is to see of an evaluated run, where it is not drawn yet."""
    if "evaluate" in context.recipe.stages and not (context.run.folder / "pictures").exists():
        draw_pictures(context, *context.scored_lists())
