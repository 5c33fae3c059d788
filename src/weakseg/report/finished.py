"""What a finished run tells at its end: scores, files, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from weakseg.pipeline.doubts import doubts, drawn_line
from weakseg.pipeline.execute import left_out
from weakseg.pipeline.masklist import LIST
from weakseg.pipeline.rundir.run import REPORT, Run
from weakseg.recipes.recipe import Recipe
from weakseg.report.listing import out
from weakseg.report.table import run_table
from weakseg.training.progress import say

UPPER_BOUND = "trained on true masks: an upper bound, not weakly supervised"


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        folder: its directory.
    """

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        """What it ran."""
        return Run(self.folder).read_recipe()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What it has written down."""
        return Run(self.folder).read_manifest()

    @cached_property
    def warnings(self) -> list[str]:
        """What to know before its masks are trusted."""
        upper = [UPPER_BOUND] if self.manifest["masks_used"]["for_training"] else []
        by_hand = drawn_line(self.manifest)
        return upper + ([by_hand] if by_hand else []) + doubts(self.recipe, self.manifest)

    @property
    def report(self) -> Path | None:
        """Its report, where it could be made."""
        file = self.folder / REPORT
        return file if file.is_file() else None

    @property
    def pictures(self) -> list[Path]:
        """Its contact sheets; those beside a recipe that scores nothing are of an earlier one."""
        return sorted((self.folder / "pictures").glob("*.png")) if "evaluate" in self.recipe.stages else []

    def next_steps(self) -> Iterator[tuple[str, str]]:
        """Commands that make something of the run, and what each does."""
        masks = self.recipe.mask_stages
        if masks and (self.folder / masks[-1] / LIST).is_file():
            yield f"weakseg doubtful {self.folder}", "the masks that are worth a look first"
            yield f"weakseg review {self.folder}", "to accept, reject and correct them in the browser"
        if "segment" in self.recipe.stages:
            yield f"weakseg predict {self.folder} PHOTOS --out MASKS", "masks of new photos"
        if masks or "segment" in self.recipe.stages:
            yield f"weakseg export {self.folder} --to coco", "the masks for another tool"

    def show(self) -> None:
        """Print the table, where everything is, and, unless quietly, what to do next."""
        run = Run(self.folder)
        out.print(run_table(self.manifest))
        for text in self.warnings:
            out.print(text, style="yellow", highlight=False, soft_wrap=True)
        problems = left_out(run)
        if problems:
            out.print(f"{len(problems)} files missing or left out, by name in {run.manifest_path}", style="yellow")
        if self.pictures:
            out.print(f"pictures: {', '.join(map(str, self.pictures))}", soft_wrap=True)
        if self.report:
            out.print(f"report: {self.report}", soft_wrap=True)
        out.print(f"masks, maps, weights and manifest: {self.folder}", soft_wrap=True)
        steps = list(self.next_steps())
        width = max((len(command) for command, _ in steps), default=0)
        for number, (command, use) in enumerate(steps):
            say(f"{'next: ' if number == 0 else '      '}{command:<{width}}  {use}")

    def as_json(self) -> dict[str, Any]:
        """The same for programs; scores are fractions."""
        manifest = self.manifest
        told = ("recipe", "data", "seed", "started", "finished", "methods", "stages", "metrics")
        return {
            "run": str(self.folder),
            **{key: manifest[key] for key in told},
            "warnings": [*manifest["warnings"], *self.warnings],
            "left_out": list(left_out(Run(self.folder))),
            "report": None if self.report is None else str(self.report),
            "pictures": [str(path) for path in self.pictures],
            "next": [command for command, _ in self.next_steps()],
        }
