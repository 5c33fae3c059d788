"""Masks for new, untagged photos from a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.networks import segmentation_network, segmentation_weights
from weakseg.pipeline.newphotos.predictions import Places, Predictions
from weakseg.pipeline.rundir.run import Run
from weakseg.pipeline.stage import less_memory
from weakseg.segmentation.inference import segment_photo
from weakseg.training.checkpoint import trained
from weakseg.training.device import build_fabric
from weakseg.training.memory import allocating
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
    run = Run(folder)
    recipe = run.read_recipe()
    weights = segmentation_weights(run, recipe)
    classes, hardware = run.read_classes(), recipe.hardware
    written = Predictions(Places(out), photos, classes)
    written.check(overwrite)
    # A network trained on a GPU also runs where there is none.
    accelerator = "cpu" if hardware.accelerator == "cpu" else "auto"
    fabric = build_fabric(accelerator, hardware.precision, hardware.threads)
    model = trained(segmentation_network(recipe, len(classes), pretrained=False), weights, fabric.device)
    levels = (run.read_manifest() or {}).get("levels")
    for photo in track(photos, "predict", len(photos)):
        try:
            # What was black and white to the network when it learnt, of pictures of more than 8 bits.
            image = (replace(photo, levels=tuple(levels)) if levels else photo).read_image()
        except WeaksegError as error:
            written.left_out[photo.id] = str(error)
            continue
        with allocating(photo.id, less_memory(recipe)):
            found = segment_photo(model, image, recipe.predict, fabric.device, recipe.data.long_side)
        written.write(photo, image, classes.to_values(found.labels.numpy()))
    problems = list(written.left_out.values())
    if len(problems) == len(photos):
        raise WeaksegError(f"none of {len(photos)} images could be read; the first: {problems[0]}")
    written.write_list()
    return written
