"""download: public data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import JsonOption, QuietOption
from weakseg.training.progress import quietly


def download(
    name: Annotated[str, typer.Argument(help="voc12, sbd, coco14; cityscapes and camvid say how to get them.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to unpack into.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archives when they are unpacked.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Get a public data set from its official address, check it and unpack it.

    What is there is kept. A download that broke off goes on with the same command. sbd beside voc12 in one folder makes
    the list and masks train_aug.
    """
    from weakseg.data.downloads import sets
    from weakseg.report.fetched import FetchedData

    with quietly(quiet):
        found = sets.download(name, to, keep=keep)
    answer(FetchedData(name, found), as_json)
