"""export and import: masks and networks for other tools, and what people have changed there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import SOURCES, JsonOption, QuietOption
from weakseg.training.progress import quietly

FORMATS = "voc, coco, cvat, label-studio, yolo, png, onnx, or one that another package adds"


def export(
    run: Annotated[Path, typer.Argument(help="Directory of a run, or of masks that `weakseg predict` has written.")],
    to: Annotated[str, typer.Option("--to", help=f"{FORMATS}.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; by default RUN/export/FORMAT.")] = None,
    what: Annotated[
        str | None,
        typer.Option("--what", help="Of a run: masks of the training photos (default), or predictions of val."),
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="The run's photos, where they have moved.")] = None,
    photos: Annotated[
        str | None, typer.Option("--photos", help="copy or stay; by default they stay, but for yolo.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="One region per class, also where the run has found objects one by one.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", help="label-studio: the address below which the photos are served.")
    ] = None,
    reviews: Annotated[
        Path | None,
        typer.Option("--reviews", help="Of a run: reviews whose corrected masks are written in place of the run's."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write masks, or the trained network, in the format of another tool.

    As `weakseg export runs/photos --to coco`, or `--to onnx` for the network with its model card.
    """
    from weakseg.exporters.command import export as write

    with quietly(quiet):
        written = write(
            run,
            to,
            out,
            what=what,  # type: ignore[arg-type]  # checked there
            data=data,
            photos=photos,  # type: ignore[arg-type]
            whole=whole,
            url=url,
            reviews=reviews,
            overwrite=overwrite,
        )
    answer(written, as_json)


def bring_in(
    file: Annotated[Path, typer.Argument(help="What came back: a JSON, XML or zip file, or a folder of masks.")],
    run: Annotated[Path | None, typer.Option("--run", help="The run whose masks or tags were corrected.")] = None,
    data: Annotated[str | None, typer.Option("--data", help=f"Instead of a run: {SOURCES}.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; by default RUN-reviews, or FILE-reviews.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to the reviews that are there.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the reviews that are there.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read corrected masks and changed tags from another tool and write them as reviews.

    FILE may be COCO's JSON (run lengths or polygons), CVAT's "Segmentation mask 1.1" or "CVAT for images 1.1", Label
    Studio's JSON, a VOC folder, or a folder of PNG masks with classes.txt.
    """
    from weakseg.exporters.incoming.command import import_reviews

    with quietly(quiet):
        written = import_reviews(file, run=run, data=data, out=out, append=append, overwrite=overwrite)
    answer(written, as_json)
