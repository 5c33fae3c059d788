"""What is told at the end of a run: scores, files, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from weakseg.pipeline.execute import left_out
from weakseg.pipeline.masklist import LIST
from weakseg.pipeline.rundir.run import Run
from weakseg.report.finished import FinishedRun
from weakseg.report.listing import out
from weakseg.report.table import run_table
from weakseg.training.progress import say


@dataclass(frozen=True)
class Ending:
    """What a command tells of the run that it has made.

    Attributes:
        run: that has finished.
    """

    run: FinishedRun

    def next_steps(self) -> Iterator[tuple[str, str]]:
        """Commands that make something of the run, and what each does."""
        folder, recipe = self.run.folder, self.run.recipe
        masks = recipe.mask_stages
        if masks and (folder / masks[-1] / LIST).is_file():
            yield f"weakseg doubtful {folder}", "the masks that are worth a look first"
            yield f"weakseg review {folder}", "to accept, reject and correct them in the browser"
        if "segment" in recipe.stages:
            yield f"weakseg predict {folder} PHOTOS --out MASKS", "masks of new photos"
        if masks or "segment" in recipe.stages:
            yield f"weakseg export {folder} --to coco", "the masks for another tool"

    def show(self) -> None:
        """Print the table, where everything is, and, unless quietly, what to do next."""
        finished, run = self.run, Run(self.run.folder)
        out.print(run_table(finished.manifest))
        for text in finished.warnings:
            out.print(text, style="yellow", highlight=False, soft_wrap=True)
        problems = left_out(run)
        if problems:
            out.print(f"{len(problems)} files missing or left out, by name in {run.manifest_path}", style="yellow")
        if finished.pictures:
            out.print(f"pictures: {', '.join(map(str, finished.pictures))}", soft_wrap=True)
        if finished.report:
            out.print(f"report: {finished.report}", soft_wrap=True)
        out.print(f"masks, maps, weights and manifest: {finished.folder}", soft_wrap=True)
        steps = list(self.next_steps())
        width = max((len(command) for command, _ in steps), default=0)
        for number, (command, use) in enumerate(steps):
            say(f"{'next: ' if number == 0 else '      '}{command:<{width}}  {use}")

    def as_json(self) -> dict[str, Any]:
        """The same for programs; scores are fractions."""
        finished = self.run
        manifest = finished.manifest
        told = ("recipe", "data", "seed", "started", "finished", "methods", "stages", "metrics")
        return {
            "run": str(finished.folder),
            **{key: manifest[key] for key in told},
            "warnings": [*manifest["warnings"], *finished.warnings],
            "left_out": list(left_out(Run(finished.folder))),
            "report": None if finished.report is None else str(finished.report),
            "pictures": [str(path) for path in finished.pictures],
            "next": [command for command, _ in self.next_steps()],
        }
