"""report: a finished run as one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Where its photos are now; by default where they were.")
    ] = None,
) -> None:
    """Write RUN/report.html anew: scores, photos with their masks, calibration and doubts on one page.

    Every run ends with it. The file needs nothing else: it can be mailed, and opens without a network.
    """
    from weakseg.report.html.page import write_report

    print(f"report: {write_report(run, data=data)}")


def doubtful(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    count: Annotated[int, typer.Option("--count", min=0, help="How many photos; 0 for all.")] = 20,
    name: Annotated[str | None, typer.Option("--class", help="Only photos with this tag.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the masks that are worth a look first: those of the lowest expected IoU.

    As `weakseg doubtful runs/photos --count 50`. No ground truth is read: how sure the network is of a mask, and how
    far it agrees with the mask before, tell what can be expected (docs/doubt.md).
    """
    from weakseg.report import doubtful as listed

    if as_json:
        print(json.dumps(listed.as_json(run, count, name)))
    else:
        listed.print_doubtful(run, count, name)
