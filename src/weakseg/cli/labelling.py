"""label: masks for any number of photos, on one machine or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import JsonOption, QuietOption
from weakseg.training.progress import quietly, warn


def label(
    run: Annotated[Path, typer.Argument(help="Directory of a finished run.")],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="A folder of photos, or its URL (s3://, gs://, http:// ...); shards:PATH-{000..009}.tar; or a source "
            "of photos with tags, as of `weakseg data`.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", help="Folder to write to, or its URL.")],
    engine: Annotated[str, typer.Option("--engine", help="local: this process. ray: workers of a Ray cluster.")] = (
        "local"
    ),
    split: Annotated[str | None, typer.Option(help="Of a source with splits: this one alone; by default all.")] = None,
    shards: Annotated[
        int | None, typer.Option("--shards", min=1, help="Write WebDataset tar shards of so many masks.")
    ] = None,
    part: Annotated[
        int | None, typer.Option("--part", min=1, help="Photos done together, written to one file of the index.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="ray: how many; by default one per GPU, or core.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of each worker.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="ray: of a running cluster.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try photos again that were left out.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write masks for any number of photos, and an index of them; the same command goes on where it stopped.

    Masks are PNG files OUT/masks/ID.png, or tar shards below OUT/shards. OUT/index holds Parquet files that are read
    as one table: of each photo the mask, the classes found with their areas, and the mean confidence, or why it was
    left out. Needs the extra: pip install 'weakseg[ray]'.
    """
    from weakseg.labelling.engines import Workers
    from weakseg.labelling.label import label as run_label
    from weakseg.report.labelled import LabelledAnswer

    chosen = Workers(workers, threads, address)
    with quietly(quiet):
        done = run_label(
            run, data, out, engine=engine, split=split, shards=shards, part=part, workers=chosen, retry=retry
        )
        for line in (*done.missing, *done.tally.reasons):
            warn(f"left out: {line}")
    answer(LabelledAnswer(done), as_json)
