"""Contact sheets: photo, a map per tag, pseudo mask, objects, prediction, truth, as far as there are some."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from weakseg.data.classmaps import load_maps
from weakseg.data.images import read_mask, resize_mask, write_image
from weakseg.data.instances import load_instances
from weakseg.data.sample import BACKGROUND, IGNORE, Array, Classes, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.ops.maps import resize_maps
from weakseg.pipeline.stage import Context
from weakseg.refine.background import foreground
from weakseg.report.sheet import Cell, Colour, Row, Sheet, write_label
from weakseg.report.tints import fitted, heat, masked, mosaic, other_colours

SIZE = (180, 240)
"""(height, width) of a picture."""
ROWS = 8
LOOKED_AT = 500
"""Photos of a list, spread over it, of which some are drawn."""
MAPS = 3
"""Columns for the maps; the last one shows all that are left of a photo with more tags."""
SMALLEST = 0.02
"""Share of the picture below which an object is not named."""
NAMED = 3
"""Photos that are named where one is not known."""
GRAY = (128, 128, 128)

Part = Callable[[Sample, Array], list[Cell]]
"""The cells of some columns for a photo and its picture on the sheet."""


def draw_pictures(context: Context, train: ImageSet, val: ImageSet | None) -> list[Path]:
    """Write the run's contact sheets into ``pictures/``; sheets of an earlier recipe go.

    Args:
        context: of the run.
        train: the scored photos of the training list with their ground truth.
        val: the evaluation list with its ground truth, or None.

    Returns:
        what was written.
    """
    folder = context.run.folder / "pictures"
    sheets = {
        folder / "train.png": train_sheet(context, spread(train.samples, ROWS)),
        folder / "val.png": val_sheet(context, spread(val.samples, ROWS)) if val is not None else None,
    }
    for path, sheet in sheets.items():
        if sheet is None:
            path.unlink(missing_ok=True)
        else:
            write_image(path, sheet.draw())
    return [path for path, sheet in sheets.items() if sheet is not None]


def train_sheet(context: Context, samples: Sequence[Sample], size: tuple[int, int] = SIZE) -> Sheet | None:
    """What the run's stages have made of training photos; None if it has none of these stages.

    Args:
        context: of the run.
        samples: photos of its training list, with their true masks where there are some.
        size: (height, width) of a picture.
    """
    drawing = _Drawing(context.train.classes, size)
    parts = _train_parts(context, drawing, samples)
    return drawing.sheet(samples, parts) if parts else None


def val_sheet(context: Context, samples: Sequence[Sample], size: tuple[int, int] = SIZE) -> Sheet | None:
    """What the run's network says of photos of its evaluation list; None if it predicts none. See ``train_sheet``."""
    drawing = _Drawing(context.train.classes, size)
    parts = _val_parts(context, drawing)
    return drawing.sheet(samples, parts) if parts else None


def photo_sheet(context: Context, names: Sequence[str], size: tuple[int, int] = SIZE) -> Sheet:
    """All that the run has made of some photos, of either list.

    Args:
        context: of the run.
        names: ids of the photos, in the order of the sheet.
        size: (height, width) of a picture.

    Raises:
        WeaksegError: an id of no photo in the run's lists, or a file of the run is missing.
    """
    train, val = _by_id(context, "train"), _by_id(context, "val")
    both = val | train
    lost = [name for name in names if name not in both]
    if lost:
        near = ", ".join(get_close_matches(lost[0], both, NAMED, cutoff=0) or list(both)[:NAMED])
        raise WeaksegError(
            f"{context.run.folder}: no photo {lost[0]!r} in its lists (nearest: {near}); ids are those of the data "
            "source, as `weakseg data` knows them"
        )
    samples, drawing = [both[name] for name in names], _Drawing(context.train.classes, size)
    learnt = [train[name] for name in names if name in train]
    parts = _on(train, _train_parts(context, drawing, learnt)) if learnt else {}
    if any(name in val for name in names):
        parts |= _on(val, _val_parts(context, drawing))
    return drawing.sheet(samples, parts)


def _by_id(context: Context, role: Literal["train", "val"]) -> dict[str, Sample]:
    """The photos of a list, with their ground truth where the run scores; nothing else opens true masks."""
    images = context.train if role == "train" else context.val
    if images is None:
        return {}
    if "evaluate" in context.recipe.stages:
        images = context.true_masks(role)
        images = context.reviews.retagged(images) if role == "train" else images
    return {sample.id: sample for sample in images.samples}


def _on(known: Container[str], parts: Mapping[tuple[str, ...], Part]) -> dict[tuple[str, ...], Part]:
    """The parts, with blanks for photos that are not known there."""

    def only(titles: tuple[str, ...], part: Part) -> Part:
        return lambda sample, photo: part(sample, photo) if sample.id in known else [Cell()] * len(titles)

    return {titles: only(titles, part) for titles, part in parts.items()}


def _train_parts(context: Context, drawing: _Drawing, samples: Sequence[Sample]) -> dict[tuple[str, ...], Part]:
    """Maps, pseudo mask and objects, by the titles of their columns, as far as the recipe makes them."""
    stages = context.recipe.stages
    parts: dict[tuple[str, ...], Part] = {}
    if "localize" in stages:
        count = min(MAPS, max((len(sample.tags) for sample in samples), default=0)) or 1
        titles = ("map of each tag" if count > 1 else "map", *[""] * (count - 1))
        parts[titles] = lambda sample, photo: drawing.maps(photo, context.maps_path(sample), count)
    if context.recipe.mask_stages:
        parts["pseudo mask",] = lambda sample, photo: drawing.mask(photo, read_mask(context.pseudo_mask_path(sample)))
    if "instances" in stages:
        parts["objects (colours of no class)",] = lambda sample, photo: drawing.objects(
            photo, context.instances_path(sample)
        )
    return parts


def _val_parts(context: Context, drawing: _Drawing) -> dict[tuple[str, ...], Part]:
    """The prediction, where the recipe makes some."""
    if "predict" not in context.recipe.stages:
        return {}
    return {("prediction",): lambda sample, photo: drawing.mask(photo, read_mask(context.prediction_path(sample)))}


def segmentation_sheet(
    image: Array, labels: Array, confidence: NDArray[np.float32], classes: Classes, caption: str, size: tuple[int, int]
) -> Sheet:
    """A photo with what a network says of it.

    Args:
        image: uint8 RGB (H, W, 3).
        labels: uint8 (H, W).
        confidence: float32 (H, W) in [0, 1].
        classes: of the labels.
        caption: below the pictures.
        size: (height, width) of a picture.
    """
    drawing, photo = _Drawing(classes, size), fitted(image, size)
    sure = resize_maps(torch.from_numpy(confidence)[None], (photo.shape[0], photo.shape[1]))[0].clamp(0, 1).numpy()
    cells = [Cell(photo), *drawing.mask(photo, classes.to_values(labels)), Cell(heat(photo, sure))]
    return Sheet(["photo", "prediction", "confidence"], [Row(cells, caption)], drawing.legend(), size)


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Some of the samples, in their order: photos of each class in turn, the rarest first, then those without a tag."""
    step = max(1, len(samples) // LOOKED_AT)
    looked_at = {index: samples[index] for index in range(0, len(samples), step)}
    groups: dict[str, list[int]] = {}
    for index, sample in looked_at.items():
        for tag in sample.tags:
            groups.setdefault(tag, []).append(index)
    turns = sorted(groups, key=lambda tag: (len(groups[tag]), tag))
    untagged = [index for index, sample in looked_at.items() if not sample.tags]
    chosen: list[int] = []
    while len(chosen) < min(count, len(looked_at) - len(untagged)):
        for tag in turns:
            _choose(chosen, groups[tag], count)
    while len(chosen) < min(count, len(looked_at)):
        _choose(chosen, untagged, count)
    return [looked_at[index] for index in sorted(chosen)]


def _choose(chosen: list[int], among: Sequence[int], count: int) -> None:
    """Choose one more, as far from those that are chosen as can be."""
    left = [index for index in among if index not in chosen]
    if left and len(chosen) < count:
        chosen.append(max(left, key=lambda index: min((abs(index - other) for other in chosen), default=0)))


class _Drawing:
    """Draws the cells of one sheet and keeps which mask values they show, for the legend."""

    def __init__(self, classes: Classes, size: tuple[int, int]) -> None:
        self._classes, self._size = classes, size
        self._shown: set[int] = set()
        self._free = other_colours([classes.palette[value] for value in classes.values], 24)

    def sheet(self, samples: Sequence[Sample], parts: dict[tuple[str, ...], Part]) -> Sheet:
        titles = ["photo", *(title for titles in parts for title in titles)]
        truth = any(sample.mask is not None for sample in samples)
        rows = []
        for sample in samples:
            photo = fitted(sample.read_image(), self._size)
            cells = [Cell(photo), *(cell for part in parts.values() for cell in part(sample, photo))]
            cells += self._truth(sample, photo) if truth else []
            self._shown |= {self._value(tag) for tag in sample.tags}
            rows.append(Row(cells, f"{sample.id}: {', '.join(sample.tags) or 'no tag'}"))
        return Sheet([*titles, "truth"] if truth else titles, rows, self.legend(), self._size)

    def maps(self, photo: Array, path: Path, count: int) -> list[Cell]:
        """``count`` cells with a map for each tag, the last one with all that are left."""
        found = foreground(load_maps(path))
        scores = resize_maps(found.scores, (photo.shape[0], photo.shape[1])).clamp(0, 1).numpy()
        names = [self._classes.names[label - 1] for label in found.classes]
        pictures = [heat(photo, strength) for strength in scores]
        alone = len(names) if len(names) <= count else count - 1
        cells = [
            Cell(picture, name if strength.any() else f"{name}: no evidence", self._colour(self._value(name)))
            for picture, name, strength in zip(pictures[:alone], names[:alone], scores[:alone], strict=True)
        ]
        if alone < len(names):
            cells.append(Cell(mosaic(pictures[alone:]), ", ".join(names[alone:])))
        if not names:
            cells.append(Cell(label="no tag, no map"))
        return cells + [Cell()] * (count - len(cells))

    def mask(self, photo: Array, mask: Array) -> list[Cell]:
        """A cell with a mask, values as on disk; those of no class are shown as what they count as: ignored."""
        values = self._classes.to_values(self._classes.to_labels(mask))
        self._shown |= set(np.unique(values).tolist())
        return [Cell(masked(photo, values, self._classes.palette))]

    def objects(self, photo: Array, path: Path) -> list[Cell]:
        """A cell with the objects of a photo, each in a colour that no class has, with its class's name."""
        (found,) = load_instances(path, self._classes)
        size = (photo.shape[0], photo.shape[1])
        numbers = np.zeros(size, dtype=np.uint8)
        palette = [(0, 0, 0), *(self._free[number % len(self._free)] for number in range(254)), (255, 255, 255)]
        names = {}
        for number, instance in enumerate((item for item in found.instances if item.score), start=1):
            index = 1 + (number - 1) % 254
            numbers[resize_mask(instance.mask.numpy().astype(np.uint8), size) > 0] = index
            names[index] = self._classes.names[instance.label - 1]
        picture = Image.fromarray(masked(photo, numbers, palette))
        for index, name in names.items():
            rows, columns = np.nonzero(numbers == index)
            if len(rows) >= SMALLEST * numbers.size:
                corner = (max(0, int(columns.mean()) - 4 * len(name)), max(0, int(rows.mean()) - 10))
                write_label(ImageDraw.Draw(picture), name, corner, palette[index])
        return [Cell(np.asarray(picture))]

    def _truth(self, sample: Sample, photo: Array) -> list[Cell]:
        if sample.mask is None:
            return [Cell(label="none")]
        try:
            return self.mask(photo, sample.read_mask())
        except WeaksegError:  # metrics.json names it
            return [Cell(label="cannot be read")]

    def _value(self, name: str) -> int:
        return self._classes.values[self._classes.index(name)]

    def _colour(self, value: int) -> Colour:
        return self._classes.palette[value]

    def legend(self) -> dict[str, Colour]:
        """The colours of what was shown until now, by name."""
        pairs = zip(self._classes.names, self._classes.values, strict=True)
        legend = {name: self._colour(value) for name, value in pairs if value in self._shown}
        legend |= {"background": GRAY} if BACKGROUND in self._shown else {}
        return legend | ({"ignored": (255, 255, 255)} if IGNORE in self._shown else {})
