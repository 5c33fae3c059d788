"""Ablations: every row of a study with every seed, each in its own run directory, and one table of them all."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from weakseg.data.source import Source, open_source
from weakseg.errors import WeaksegError
from weakseg.files import put_between, read_json, replacing, write_json
from weakseg.pipeline.rundir.run import Run
from weakseg.studies.apart import execute_apart
from weakseg.studies.columns import COLUMNS, Measured
from weakseg.studies.plan import Planned, Request, check_plan, make_plan
from weakseg.studies.plot import draw
from weakseg.studies.reuse import expected_keys, runs_in, take_inputs, take_stages
from weakseg.studies.summary import Result, Summary
from weakseg.studies.table import comma_separated, markdown, records, terminal
from weakseg.training.progress import say, warn

IDENTITY = "ablation.json"
WIDTH = 160
"""Characters of the table where it is not printed to a terminal."""


def ablate(request: Request) -> Summary:
    """Run what is not done yet, and write the table after every run.

    Writes ``table.md``, ``table.csv``, ``runs.json`` and, where single numbers are varied, ``plot.png`` into
    ``request.out``. A run that fails is told in the table and stops no other one. Rows that are not asked for stand in
    the table with the runs that they have there already.

    Raises:
        WeaksegError: before anything is run, for a request that cannot be run as a whole.
    """
    asked = {row.label for row in request.study.only(request.rows).all_rows()}
    everything = make_plan(request)
    plan = [planned for planned in everything if planned.row.label in asked]
    source = open_source(request.data)
    check_plan(plan[: len(plan) // request.seeds], source)  # of one seed
    if request.into is not None:
        put_between(request.into, request.out.name, None)
    _claim(request)
    with Run(request.out).locked():
        write_json(request.out / IDENTITY, request.identity())
        others = [planned for planned in everything if planned.row.label not in asked]
        results = [result for other in others if (result := _earlier(other, source)) is not None]
        study = request.study.only([*asked, *(result.row.label for result in results)])
        for number, planned in enumerate(plan, 1):
            say(f"{number}/{len(plan)} {planned.title}", "bold")
            results.append(_run(planned, request, source))
            summary = Summary(study, results, request.identity())
            _write(summary, request)
            say(summary.line_of(results[-1]), "red" if results[-1].error else "green")
    return summary


@dataclass(frozen=True)
class Table:
    """The table of an ablation, as a command prints it.

    Attributes:
        summary: what the runs have measured.
        out: where tables and runs are.
    """

    summary: Summary
    out: Path

    def show(self) -> None:
        """Print the table and where everything is."""
        console = Console(markup=False, emoji=False, width=None if sys.stdout.isatty() else WIDTH)
        for part in terminal(self.summary, console.width):
            console.print(part, highlight=False)
        for note in self.summary.notes():
            console.print(note, style="red" if note.startswith("Failed") else "dim", highlight=False, soft_wrap=True)
        console.print(f"tables: {', '.join(self._files())}\nruns: {self.out}", soft_wrap=True, highlight=False)

    def as_json(self) -> dict[str, Any]:
        """The runs with their figures, and where the tables are."""
        found = {"out": str(self.out), "files": self._files(), "failed": len(self.summary.failed())}
        return found | records(self.summary)

    def check(self) -> None:
        """Raise WeaksegError if a run has failed."""
        failed = len(self.summary.failed())
        if failed:
            raise WeaksegError(
                f"{failed} of {len(self.summary.results)} runs failed, as said above; the same command tries them again"
            )

    def _files(self) -> list[str]:
        return [str(path) for path in _files(self.out).values() if path.exists()]


def _claim(request: Request) -> None:
    """Refuse a directory of something else."""
    out = request.out
    if out.is_file():
        raise WeaksegError(f"{out}: is a file; --out must name a directory")
    earlier = read_json(out / IDENTITY)
    if earlier is None and out.is_dir() and any(path.name != ".lock" for path in out.iterdir()):
        raise WeaksegError(f"{out}: holds files that are no ablation; choose an empty or new directory for --out")
    for name, value in request.identity().items():
        if earlier is not None and earlier.get(name) != value:
            raise WeaksegError(
                f"{out}: holds another ablation ({name}: {_shown(earlier.get(name))}, not {_shown(value)}); "
                "choose another --out"
            )


def _shown(value: object) -> str:
    return " ".join(value) or "none" if isinstance(value, list) else str(value)


def _run(planned: Planned, request: Request, source: Source) -> Result:
    recipe, run = planned.recipe, planned.run
    try:
        siblings = [other for other in runs_in(request.out) if other.folder != run.folder]
        take_inputs(run, siblings)
        keys = expected_keys(recipe, source, run)
        if run.is_finished(keys):
            say("done before, unchanged", "dim")
            error = ""
        else:
            take_stages(run, keys, siblings)
            error = execute_apart(recipe, request.data, run.folder)
        if not error:
            return _measured(planned)
    except (WeaksegError, OSError) as problem:
        error = str(problem)
    return Result(planned.row, recipe.seed, str(run.folder), error)


def _earlier(planned: Planned, source: Source) -> Result | None:
    run = planned.run
    try:
        if not run.manifest_path.exists():
            return None
        if run.is_finished(expected_keys(planned.recipe, source, run)):
            return _measured(planned)
        warn(f"{planned.title}: left out: unfinished, or made with other settings; ask for its row, too")
        return None
    except (WeaksegError, OSError) as problem:  # a damaged run is told when it is asked for
        warn(f"{planned.title}: left out: {problem}")
        return None


def _measured(planned: Planned) -> Result:
    measured = Measured.of(planned.run)
    manifest, machine = measured.manifest, measured.manifest["machine"]
    return Result(
        planned.row,
        planned.recipe.seed,
        str(planned.run.folder),
        figures={name: column.read(measured) for name, column in COLUMNS.items()},
        about={
            "machine": machine["name"],
            "threads": machine["threads"],
            "weakseg": manifest["weakseg"],
            "date": manifest["finished"][:10],
            "list": planned.recipe.data.train,
            "scored": planned.recipe.data.score,
            "images": manifest["lists"]["train"]["images"],
            "chosen_with_masks": planned.recipe.chosen_with_masks or "nothing",
        },
    )


def _files(out: Path) -> dict[str, Path]:
    return {name: out / name for name in ("table.md", "table.csv", "runs.json", "plot.png")}


def _write(summary: Summary, request: Request) -> None:
    files = _files(request.out)
    table = markdown(summary)
    for name, text in (("table.md", table), ("table.csv", comma_separated(summary))):
        with replacing(files[name]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_json(files["runs.json"], records(summary))
    picture = draw(summary)
    if picture is None:
        files["plot.png"].unlink(missing_ok=True)
    else:
        with replacing(files["plot.png"]) as temporary:
            temporary.write_bytes(picture)
    if request.into is not None:
        put_between(request.into, request.out.name, table)
