"""report: a finished run as one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import JsonOption, QuietOption
from weakseg.training.progress import quietly


def report(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Where its photos are now; by default where they were.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write RUN/report.html anew: scores, photos with their masks, calibration and doubts on one page.

    Every run ends with it. The file needs nothing else: it can be mailed, and opens without a network.
    """
    from weakseg.report.html.page import write_report

    with quietly(quiet):
        answer(_Reported(run, write_report(run, data=data)), as_json)


@dataclass(frozen=True)
class _Reported:
    """A report that was written."""

    run: Path
    file: Path

    def show(self) -> None:
        print(f"report: {self.file}")

    def as_json(self) -> dict[str, Any]:
        return {"run": str(self.run), "report": str(self.file)}


def doubtful(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    count: Annotated[int, typer.Option("--count", min=0, help="How many photos; 0 for all.")] = 20,
    name: Annotated[str | None, typer.Option("--class", help="Only photos with this tag.")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the masks that are worth a look first: those of the lowest expected IoU.

    As `weakseg doubtful runs/photos --count 50`. No ground truth is read: how sure the network is of a mask, and how
    far it agrees with the mask before, tell what can be expected (docs/doubt.md).
    """
    from weakseg.report.doubtful import Doubtful, most_doubtful

    with quietly(quiet):
        answer(Doubtful(run, *most_doubtful(run, count, name)), as_json)
