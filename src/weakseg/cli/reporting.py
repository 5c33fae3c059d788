"""report: a finished run as one page."""

from __future__ import annotations

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
