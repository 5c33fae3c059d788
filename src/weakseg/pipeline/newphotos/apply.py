"""Masks for new, untagged photos from a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.network import read_network
from weakseg.pipeline.newphotos.predictions import Places, Predictions
from weakseg.training.progress import track


def predict_photos(folder: Path, photos: Sequence[Sample], out: Path, *, overwrite: bool = False) -> Predictions:
    """Write ``out/masks/ID.png`` (palette PNG), ``out/overlays/ID.png`` and the list ``out/masks.csv``.

    An ``out`` that is called masks holds the masks directly.

    Args:
        folder: of a finished run with a segmentation network.
        photos: their ids name the results.
        out: where to write.
        overwrite: replace what an earlier call has written there.

    Returns:
        What was written, and why which photo could not be read.

    Raises:
        WeaksegError: no such run, a folder that holds other masks, or no photo could be read.
    """
    network = read_network(folder).build()
    written = Predictions(Places(out), photos, network.classes)
    written.check(overwrite)
    for photo in track(photos, "predict", len(photos)):
        try:
            image = network.read(photo)
        except WeaksegError as error:
            written.left_out[photo.id] = str(error)
            continue
        written.write(photo, image, network.mask(photo.id, image).values)
    problems = list(written.left_out.values())
    if len(problems) == len(photos):
        raise WeaksegError(f"none of {len(photos)} images could be read; the first: {problems[0]}")
    written.write_list()
    return written
