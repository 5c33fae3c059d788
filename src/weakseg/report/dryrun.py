"""What a run would do, told instead of done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from weakseg.data.source import Source, open_source
from weakseg.pipeline.outlook import Outlook, look_ahead
from weakseg.pipeline.rundir.run import open_folder
from weakseg.planning.plan import Plan
from weakseg.planning.rehearsal import Estimate
from weakseg.planning.rules import Choice
from weakseg.recipes.recipe import Recipe
from weakseg.report.listing import out
from weakseg.report.settings import is_read
from weakseg.training.device import build_fabric
from weakseg.training.progress import time_text


@dataclass(frozen=True)
class DryRun:
    """What a run would do.

    Attributes:
        ahead: its stages and the disk that it needs.
        data: the source.
        plan: where the recipe was planned for this.
        estimate: how long the planned stages take.
    """

    ahead: Outlook
    data: str
    plan: Plan | None
    estimate: Estimate | None

    @property
    def seconds(self) -> Mapping[str, float]:
        """About how long each stage takes, where that is known."""
        return {name: time.total for name, time in self.estimate.stages.items()} if self.estimate else {}

    @property
    def choices(self) -> list[Choice]:
        """What was planned, of the settings that a stage of the run reads."""
        made = self.plan.made if self.plan else ()
        return [choice for choice in made if is_read(self.ahead.context.recipe, choice.key)]

    def show(self) -> None:
        """Print plan, stages, disk and time."""
        context = self.ahead.context
        if self.plan is not None:
            out.print("planned, each with its reason:")
            for choice in self.choices:
                out.print(f"  {choice.key}={choice.value}  # {choice.reason}", highlight=False, soft_wrap=True)
        table = Table(title=f"{context.recipe.name} on {self.data} into {context.run.folder}", title_justify="left")
        table.add_column("stage")
        table.add_column("what is done", overflow="fold")
        if self.seconds:
            table.add_column("about", justify="right")
        for name, fate in self.ahead.fates.items():
            time = [time_text(self.seconds[name])] if name in self.seconds else []
            table.add_row(name, fate, *time)
        out.print(table)
        if self.ahead.disk is not None:
            out.print(self.ahead.disk.line(), highlight=False, soft_wrap=True)
        if self.estimate is not None:
            out.print(f"time: about {time_text(self.estimate.total)} here, all stages together", highlight=False)
        out.print("dry run: nothing was trained, and nothing written", highlight=False)

    def as_json(self) -> dict[str, Any]:
        """The same for programs; bytes and seconds."""
        context, disk = self.ahead.context, self.ahead.disk
        return {
            "dry_run": True,
            "run": str(context.run.folder),
            "recipe": context.recipe.name,
            "data": self.data,
            "stages": {
                name: {"fate": fate, "seconds": self.seconds.get(name)} for name, fate in self.ahead.fates.items()
            },
            "disk": disk and {"needed": disk.needed, "held": disk.held, "free": disk.free},
            "seconds": self.estimate and self.estimate.total,
            "plan": self.plan and [choice._asdict() for choice in self.choices],
            "warnings": list(context.source.warnings),
            "left_out": list(self.ahead.problems),
        }


def dry_run(
    recipe: Recipe,
    data: str | Source,
    folder: Path,
    *,
    overwrite: bool = False,
    plan: Plan | None = None,
    estimate: Estimate | None = None,
) -> DryRun:
    """Find what a run would do; nothing is trained or written.

    Args:
        recipe: the settings.
        data: the source, or the string that opens it.
        folder: of the run; it need not be there.
        overwrite: as if it started afresh.
        plan: of the recipe, where it was planned.
        estimate: of the plan.

    Raises:
        WeaksegError: what would stop the run before its first stage.
    """
    source, hardware = data if isinstance(data, Source) else open_source(data), recipe.hardware
    fabric = build_fabric(hardware.accelerator, hardware.precision, hardware.threads)
    ahead = look_ahead(recipe, source, open_folder(folder), fabric, overwrite=overwrite, keep=False)
    if ahead.disk is not None:
        ahead.disk.check()
    return DryRun(ahead, source.spec, plan, estimate)
