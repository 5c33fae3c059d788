"""predict and evaluate: masks of photos, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import DataOption, JsonOption, PredictionsOption, QuietOption
from weakseg.errors import WeaksegError
from weakseg.training.progress import quietly, warn


def predict(
    run: Annotated[Path, typer.Argument(help="Directory of a finished run.")],
    out: PredictionsOption,
    images: Annotated[list[Path] | None, typer.Argument(help="Images, or folders of images.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Instead of images: a data source, whose ids the masks get.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="With --data: this split alone; by default all.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace masks of an earlier call.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write masks and overlays for new, untagged photos, and a list of them.

    The mask of FOLDER/a/1.jpg is OUT/masks/a/1.png. OUT/masks.csv names each photo with its mask and the classes
    found in it, or why it was left out; OUT/classes.txt what the values in the masks mean.
    """
    from weakseg.data.paths import unread_line
    from weakseg.pipeline.newphotos.apply import predict_photos
    from weakseg.pipeline.newphotos.photos import given_photos, source_photos
    from weakseg.report.predicted import Predicted

    if (data is None) == (not images):
        raise WeaksegError("predict: give images or folders of images, or a source with --data; one of the two")
    if split is not None and data is None:
        raise WeaksegError("predict: --split is of a source that --data names; leave it away with images")
    unread = [line for path in images or [] if path.is_dir() and (line := unread_line(path))]
    photos, missing = (given_photos(images or []), unread) if data is None else source_photos(data, split)
    with quietly(quiet):
        written = predict_photos(run, photos, out, overwrite=overwrite)
        for line in (*missing, *written.left_out.values()):
            warn(f"left out: {line}")
    answer(Predicted(written, run, missing), as_json)


def evaluate(
    masks: Annotated[
        Path, typer.Argument(help="Folder of masks called ID.png, as OUT/masks of predict, or of class maps, ID.npy.")
    ],
    data: DataOption,
    split: Annotated[str, typer.Option(help="Which split of the data.")] = "val",
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of class maps: a class must exceed it; by default 0.2.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a folder of masks, or of class maps, against the ground truth.

    Class maps are weakseg's own or those of the codes of psa, SEAM, CPN, IRNet, VWE, SIPE and AE-SIPE. The best
    threshold, which takes the masks to find, is told beside the one asked for.
    """
    from weakseg.report.scored import score_folder

    with quietly(quiet):
        found = score_folder(masks, data, split, threshold)
    answer(found, as_json)
