"""Masks for new, untagged photos from a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weakseg.data.images import overlay, read_image, write_image, write_mask
from weakseg.data.paths import list_images, unique_ids
from weakseg.data.sample import Array
from weakseg.engine.device import build_fabric
from weakseg.engine.progress import track
from weakseg.errors import WeaksegError
from weakseg.pipeline.networks import segmentation_network, trained
from weakseg.pipeline.run import Run
from weakseg.pipeline.segmenting import segment_photo


def collect(paths: Sequence[Path]) -> list[Path]:
    """Image files among files and folders. Raises WeaksegError for a missing path or if there is none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise WeaksegError(f"{path}: no such file or folder; give images or folders of images")
        found += list_images(path) if path.is_dir() else [path]
    if not found:
        raise WeaksegError(f"{', '.join(map(str, paths))}: no images there; known are .jpg, .png, .webp, .bmp, .tif")
    return found


def predict_images(folder: Path, paths: Sequence[Path], out: Path) -> tuple[int, list[str]]:
    """Write ``out/masks/NAME.png`` (palette PNG) and ``out/overlays/NAME.png`` for every image.

    Args:
        folder: of a finished run with a segmentation network.
        paths: image files, or folders of images.
        out: where to write.

    Returns:
        How many were written, and one line per image that could not be read.

    Raises:
        WeaksegError: no such run or image, or no image could be read.
    """
    run = Run(folder)
    recipe, files = run.read_recipe(), collect(paths)
    weights = run.weights_path("segment")
    if "segment" not in recipe.stages or not weights.exists():
        raise WeaksegError(
            f"{folder}: no trained segmentation network there; finish `weakseg run` with a segment stage"
        )
    classes, hardware = run.read_classes(), recipe.hardware
    # A network trained on a GPU also runs where there is none.
    accelerator = "cpu" if hardware.accelerator == "cpu" else "auto"
    fabric = build_fabric(accelerator, 1, hardware.precision, hardware.threads)
    model = trained(segmentation_network(recipe, len(classes), pretrained=False), weights, fabric.device)
    problems: list[str] = []
    for file, name in track(zip(files, _names(files), strict=True), "predict", len(files)):
        try:
            image = read_image(file)
        except WeaksegError as error:
            problems.append(str(error))
            continue
        mask: Array = classes.to_values(segment_photo(model, image, recipe.predict, fabric.device).labels.numpy())
        write_mask(out / "masks" / f"{name}.png", mask, classes.palette)
        write_image(out / "overlays" / f"{name}.png", overlay(image, mask, classes.palette))
    if len(problems) == len(files):
        raise WeaksegError(f"none of {len(files)} images could be read; the first: {problems[0]}")
    return len(files) - len(problems), problems


def _names(files: Sequence[Path]) -> list[str]:
    return unique_ids([Path(file.name) for file in files])
