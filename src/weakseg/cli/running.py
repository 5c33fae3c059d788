"""run, demo and ablate: what makes runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import DataOption, JsonOption, OutOption, OverlaysOption, QuietOption, complete_recipes
from weakseg.training.progress import quietly


def run(
    data: DataOption,
    out: OutOption,
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Name of a recipe, or a YAML file; without one, auto is planned.", autocompletion=complete_recipes
        ),
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ...")] = None,
    overlays: OverlaysOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Fit the named recipe to photos and machine first.")] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Cut the plan so that it takes no longer than this.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start afresh, whatever run --out holds.")] = False,
    dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Show stages, disk and, of a plan, the time; train nothing, write nothing."),
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe from tags to masks. The same command goes on after an interruption.

    Without a recipe, the project's own one is planned for your photos and this machine, and timed on a few photos.
    """
    from weakseg.cli.planned import Prepared, check_options, planned
    from weakseg.errors import WeaksegError
    from weakseg.recipes.loading import load_recipe
    from weakseg.training.launch import started

    changes = list(overrides or [])
    # Where no recipe is named, the first override stands in its place.
    if recipe is not None and "=" in recipe and not recipe.endswith((".yaml", ".yml")):
        changes.insert(0, recipe)
        recipe = None
    with quietly(quiet):
        if recipe is None or plan:
            if started() is not None:
                raise WeaksegError(
                    "a plan is made by one process, and several were started; make it with `weakseg plan --out "
                    "plan.yaml`, and run plan.yaml"
                )
            check_options(overlays or [])
            near = None if dry else out
            prepared = planned(recipe, data, out, changes, minutes=minutes, overwrite=overwrite, near=near)
        else:
            check_options([], minutes=minutes)
            prepared = Prepared(load_recipe(recipe, overlays or [], changes), data)
        answer((prepared.dry_run if dry else prepared.run)(out, overwrite=overwrite), as_json)


def demo(
    out: OutOption = Path("runs/demo"),
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ...")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the built-in pictures, run the whole pipeline on them and show what came out.

    The same as `weakseg run auto --with demo --data scenes:160`.
    """
    from weakseg.recipes.loading import load_recipe
    from weakseg.report.ending import Ending
    from weakseg.report.finished import FinishedRun
    from weakseg.report.run import run_and_draw

    with quietly(quiet):
        run_and_draw(load_recipe("auto", ["demo"], overrides or []), "scenes:160", out)
        answer(Ending(FinishedRun(out)), as_json)


def ablate(
    study: Annotated[str, typer.Argument(metavar="RECIPE|STUDY", help="Name of a recipe or study, or a YAML file.")],
    data: DataOption,
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ..., for every run")] = None,
    vary: Annotated[list[str] | None, typer.Option(help="key.path=a,b,c; repeatable: every combination.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="Run only the row of this label; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    overlays: OverlaysOption = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write to; by default runs/NAME.")] = None,
    until: Annotated[str | None, typer.Option(help="Last stage to run; the scoring is always done.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Put the table between <!-- table:NAME --> and <!-- end -->.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe with every combination of settings and every seed, or a study by its name, and write a table.

    As `weakseg ablate affinitynet --with small --data voc:PATH --vary refine.walk.beta=4,8,16`. The same command goes
    on after an interruption and costs nothing where all is done; stages that runs have in common are done once.
    """
    from weakseg.studies.ablate import Table
    from weakseg.studies.ablate import ablate as run_all
    from weakseg.studies.find import find_study
    from weakseg.studies.plan import Request

    found = find_study(study, vary or [])
    folder = out or Path("runs") / found.name
    request = Request(
        found,
        data,
        folder,
        rows=row or [],
        seeds=seeds,
        overlays=overlays or [],
        overrides=overrides or [],
        until=until,
        into=into,
    )
    with quietly(quiet):
        table = Table(run_all(request), folder)
    answer(table, as_json)
    table.check()
