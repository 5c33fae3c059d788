"""A look at the photos of a run's lists: how doubtful each mask is, how good where there is ground truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from weakseg.data.sample import BACKGROUND, IGNORE, Array, Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.evaluation.calibration import Calibration, Reliability
from weakseg.evaluation.metrics import ConfusionMatrix
from weakseg.pipeline.stage import Context
from weakseg.report.html.doubt import Doubt, expected_ious, listed_doubt
from weakseg.report.html.layers import present

LOOKED_AT = 600
"""Photos of a list, spread over it, whose masks are read."""

ReadLabels = Callable[[Sample], Array]


@dataclass(frozen=True)
class PhotoList:
    """Photos with what the run has made of them.

    Attributes:
        role: "train" or "val".
        name: of the split.
        samples: the photos, without masks.
        classes: of the masks.
        truth: the photos with their ground truth by id; empty where there is none or the run scores nothing.
        masks: by stage, reads the labels (H, W) of a photo; the last one is judged.
        confidence: reads how sure each pixel of that is, uint8 (H, W); None where no stage tells.
        maps: whether there are class maps.
        doubt: of a photo.
    """

    role: str
    name: str
    samples: Sequence[Sample]
    classes: Classes
    truth: Mapping[str, Sample]
    masks: Mapping[str, ReadLabels]
    confidence: ReadLabels | None
    maps: bool
    doubt: Doubt

    @property
    def judged(self) -> ReadLabels | None:
        """Reads the masks that are judged; None where there are none."""
        return list(self.masks.values())[-1] if self.masks else None


@dataclass(frozen=True)
class Seen:
    """A photo that was looked at.

    Attributes:
        sample: without its mask.
        classes: its tags; of a photo without tags the classes in its mask.
        doubt: 0 to 1, or None.
        miou: over the labels that are true or predicted in this photo, 0 to 1; None without ground truth.
        iou: the same by label.
    """

    sample: Sample
    classes: tuple[str, ...]
    doubt: float | None
    miou: float | None
    iou: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Looks:
    """What the look at a list has found.

    Attributes:
        photos: that were looked at, in the list's order.
        of: how many the list has.
        every: calibration over all pixels; None without confidence or ground truth.
        inside: the same over the masks' foreground.
        scored: how many photos calibration is of.
        problems: one line for each photo whose masks cannot be read.
    """

    photos: list[Seen]
    of: int
    every: Calibration | None
    inside: Calibration | None
    scored: int
    problems: list[str]


def photo_lists(context: Context) -> list[PhotoList]:
    """The lists of a run of which there is something to see."""
    recipe, classes = context.recipe, context.train.classes
    scored = context.scored_lists() if "evaluate" in recipe.stages else (None, None)  # nothing else opens true masks
    truths = [{sample.id: sample for sample in images.samples if sample.mask} if images else {} for images in scored]
    lists = []
    if recipe.mask_stages or "localize" in recipe.stages:
        read: dict[str, ReadLabels] = {stage: partial(_pseudo_mask, context, stage) for stage in recipe.mask_stages}
        last = recipe.mask_stages[-1] if recipe.mask_stages else None
        sure = partial(context.read_confidence, stage=last) if last else None
        doubt = listed_doubt(expected_ious(context.folder(last)) if last else {})
        maps = "localize" in recipe.stages
        lists.append(
            PhotoList("train", recipe.data.train, context.train.samples, classes, truths[0], read, sure, maps, doubt)
        )
    if "predict" in recipe.stages and context.val is not None:
        predicted: dict[str, ReadLabels] = {"predict": partial(_prediction, context)}
        samples = context.val.samples
        lists.append(
            PhotoList("val", recipe.data.val, samples, classes, truths[1], predicted, None, False, listed_doubt({}))
        )
    return lists


def _pseudo_mask(context: Context, stage: str, sample: Sample) -> Array:
    return context.train.classes.to_labels(context.read_pseudo_mask(sample, stage))


def _prediction(context: Context, sample: Sample) -> Array:
    return context.train.classes.to_labels(context.read_prediction(sample))


def look(photos: PhotoList, most: int = LOOKED_AT) -> Looks:
    """Read the masks of a list.

    Args:
        photos: the list.
        most: photos to look at.
    """
    chosen = spread_evenly(photos.samples, most)
    every, inside = Reliability(), Reliability(foreground=True)
    seen, problems, scored = [], [], 0
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for sample, found in zip(chosen, pool.map(partial(_read, photos), chosen), strict=True):
            if isinstance(found, str):
                problems.append(found)
            else:
                seen.append(_judge(photos, sample, found))
                counted = found.truth is not None and found.labels is not None and found.confidence is not None
                scored += counted and _count(every, inside, found, problems, sample.id)
    measured = every.calibration() if scored else None
    return Looks(seen, len(photos.samples), measured, inside.calibration() if scored else None, scored, problems)


def spread_evenly(items: Sequence[Sample], count: int) -> list[Sample]:
    """``count`` of the items at equal distances, all where there are no more."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


@dataclass(frozen=True)
class _Masks:
    labels: Array | None
    confidence: Array | None
    truth: Array | None


def _read(photos: PhotoList, sample: Sample) -> _Masks | str:
    """The masks of a photo, or why they cannot be read."""
    if photos.judged is None:
        return _Masks(None, None, None)
    try:
        labels = photos.judged(sample)
        confidence = photos.confidence(sample) if photos.confidence else None
    except WeaksegError as error:
        return str(error)
    return _Masks(labels, confidence, true_labels(photos, sample, labels.shape))


def true_labels(photos: PhotoList, sample: Sample, size: tuple[int, ...] | None = None) -> Array | None:
    """The ground truth of a photo; None without one, and where it is broken or of another size (see metrics.json)."""
    with_mask = photos.truth.get(sample.id)
    if with_mask is None:
        return None
    try:
        truth = photos.classes.to_labels(with_mask.read_mask())
    except WeaksegError:
        return None
    return truth if size is None or truth.shape == size else None


def _judge(photos: PhotoList, sample: Sample, found: _Masks) -> Seen:
    labels, names = found.labels, photos.classes.names
    if labels is None:
        return Seen(sample, sample.tags, None, None)
    doubt = photos.doubt(sample, labels, found.confidence)
    found_classes = [names[label - 1] for label in present(labels).tolist() if label not in (BACKGROUND, IGNORE)]
    classes = sample.tags or tuple(found_classes)
    if found.truth is None:
        return Seen(sample, classes, doubt, None)
    matrix = ConfusionMatrix(names)
    matrix.add(labels, found.truth, image=sample.id)
    scores = matrix.scores()
    iou = {name: value for name, value in zip(scores.names, scores.iou, strict=True) if not np.isnan(value)}
    return Seen(sample, classes, doubt, scores.miou_occurring if iou else None, iou)


def _count(every: Reliability, inside: Reliability, found: _Masks, problems: list[str], name: str) -> bool:
    assert found.labels is not None
    assert found.confidence is not None
    assert found.truth is not None
    try:
        for each in (every, inside):
            each.add(found.labels, found.confidence, found.truth, image=name)
    except WeaksegError as error:
        problems.append(str(error))
        return False
    return True
