"""Contact sheets: photo, maps, pseudo mask, instances, truth; photo, prediction, truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from weakseg.data.classmaps import load_maps
from weakseg.data.images import overlay, read_mask, write_image
from weakseg.data.instances import load_instances
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.ops.maps import resize_maps
from weakseg.pipeline.background import foreground
from weakseg.pipeline.stage import Context

WIDTH, HEIGHT = 232, 176
ROWS = 8
CAPTION = 18

Column = tuple[str, Callable[[Sample, Array], Array]]


def draw_pictures(context: Context, train: ImageSet, val: ImageSet | None) -> list[Path]:
    """Write the run's contact sheets into ``pictures/`` and return their paths.

    Args:
        context: of the run.
        train: the scored photos of the training list with their ground truth.
        val: the evaluation list with its ground truth, or None.
    """
    stages, folder = context.recipe.stages, context.run.folder / "pictures"
    written: list[Path] = []
    columns: list[Column] = [("photo", lambda _, image: image)]
    if "localize" in stages:
        columns.append(("maps", lambda sample, image: heat(image, context.maps_path(sample))))
    if "refine" in stages:
        columns.append(_mask_column("pseudo mask", context, lambda sample: read_mask(context.pseudo_mask_path(sample))))
    if "instances" in stages:
        columns.append(("instances", lambda sample, image: objects(image, context, sample)))
    if len(columns) > 1:
        written.append(_sheet(folder / "train.png", columns, train))
    if "predict" in stages and val is not None:
        columns = [
            ("photo", lambda _, image: image),
            _mask_column("prediction", context, lambda sample: read_mask(context.prediction_path(sample))),
        ]
        written.append(_sheet(folder / "val.png", columns, val))
    return written


def heat(image: Array, maps_file: Path) -> Array:
    """The strongest map of each pixel as a warm tint over the greyed photo, uint8 (H, W, 3)."""
    maps = foreground(load_maps(maps_file))
    scores = resize_maps(maps.scores, maps.size)
    strength = (scores.amax(dim=0) if len(scores) else torch.zeros(maps.size)).numpy()[..., None]
    gray = image.mean(axis=2, keepdims=True) * 0.7
    warm = np.concatenate([np.full_like(strength, 255), 230 * strength, 30 * (1 - strength)], axis=2)
    return np.asarray((1 - strength) * gray + strength * warm, dtype=np.uint8)


def objects(image: Array, context: Context, sample: Sample) -> Array:
    """The objects found in a photo, each in a colour of its own, uint8 (H, W, 3)."""
    (photo,) = load_instances(context.instances_path(sample), context.train.classes)
    numbers = np.zeros(image.shape[:2], dtype=np.uint8)
    for number, instance in enumerate(item for item in photo.instances if item.score):
        numbers[instance.mask.numpy()] = 1 + number % 254
    return overlay(image, numbers, context.train.classes.palette)


def _mask_column(title: str, context: Context, read: Callable[[Sample], Array]) -> Column:
    return title, lambda sample, image: overlay(image, read(sample), context.train.classes.palette)


def _sheet(path: Path, columns: Sequence[Column], images: ImageSet) -> Path:
    samples = _spread(images.samples, ROWS)
    columns = list(columns)
    if any(sample.mask is not None for sample in samples):
        columns.append(("truth", lambda sample, image: _truth(sample, image, images)))
    sheet = Image.new("RGB", (len(columns) * (WIDTH + 4) + 4, len(samples) * (HEIGHT + CAPTION + 4) + CAPTION), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (title, _) in enumerate(columns):
        pen.text((column * (WIDTH + 4) + 6, 3), title, fill="black")
    for row, sample in enumerate(samples):
        image = sample.read_image()
        top = CAPTION + row * (HEIGHT + CAPTION + 4)
        pen.text((6, top + HEIGHT + 2), f"{sample.id}: {', '.join(sample.tags) or 'no tag'}", fill="black")
        for column, (_, draw) in enumerate(columns):
            sheet.paste(_fitted(draw(sample, image)), (column * (WIDTH + 4) + 4, top))
    write_image(path, np.asarray(sheet))
    return path


def _truth(sample: Sample, image: Array, images: ImageSet) -> Array:
    try:
        return overlay(image, sample.read_mask(), images.classes.palette)
    except WeaksegError:  # none, or a broken one: metrics.json names it
        return np.full_like(image, 128)


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    step = max(1, len(samples) // count)
    return [samples[index] for index in range(0, len(samples), step)][:count]


def _fitted(image: Array) -> Image.Image:
    cell = Image.new("RGB", (WIDTH, HEIGHT), "white")
    small = Image.fromarray(image)
    small.thumbnail((WIDTH, HEIGHT))
    cell.paste(small, ((WIDTH - small.width) // 2, (HEIGHT - small.height) // 2))
    return cell
