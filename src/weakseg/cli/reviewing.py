"""review: go through masks in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.errors import one_of


def review(
    run: Annotated[Path, typer.Argument(help="Directory of a run.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")] = 8321,
    reviews: Annotated[
        Path | None, typer.Option("--reviews", help="File to write; by default RUN-reviews/reviews.jsonl.")
    ] = None,
    what: Annotated[
        str, typer.Option("--what", help="masks of the training photos, or predictions of the list val.")
    ] = "masks",
    data: Annotated[
        str | None, typer.Option("--data", help="Where its photos are now; by default where they were.")
    ] = None,
) -> None:
    """Accept, reject or correct masks in the browser, the most doubtful first.

    Decisions and masks are written beside the run; `weakseg run ... data.reviews=RUN-reviews/reviews.jsonl` learns
    from them.
    """
    from weakseg.review.serve import serve

    if what not in ("masks", "predictions"):
        raise one_of("value of --what", what, ("masks", "predictions"))
    serve(run, port, reviews, what, data)  # type: ignore[arg-type]
