"""How good a mask is likely to be, without ground truth: the IoU to be expected of each class of a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from weakseg.data.sample import Array, Classes, ImageSet, Sample
from weakseg.training.ranks import shared_out

CONFIDENCE_ALONE = (-0.18, 1.12)
"""Constant and weight of the confidence, for masks that no others stand beside."""
CONFIDENCE, AGREEMENT, MORE_TAGS, CONSTANT = 0.61, 0.46, -0.08, -0.26
"""Weights for masks that were made anew from others. Least squares on the training masks of two data sets, photos of
animals and grey pictures of magnetic tiles; `docs/doubt.md` says how well they hold."""


@dataclass(frozen=True)
class Expected:
    """What is expected of one class in one mask.

    Attributes:
        id: of the photo.
        name: of the class, one of the photo's tags.
        area: share of the photo that the mask gives it, 0 to 1.
        confidence: mean confidence of its pixels, 0 to 1; 0 for a class without a pixel.
        agreement: IoU of its pixels with those in the mask that this one was made from; None where there is none.
        iou: expected, 0 to 1; 0 for a class without a pixel.
    """

    id: str
    name: str
    area: float
    confidence: float
    agreement: float | None
    iou: float


def expected_iou(confidence: float, agreement: float | None, tags: int) -> float:
    """The IoU to be expected of a class that has pixels.

    Args:
        confidence: mean confidence of its pixels, 0 to 1.
        agreement: IoU with its pixels in the mask before, 0 to 1, or None.
        tags: how many tags the photo has; objects of several classes are harder to part.

    Returns:
        0 to 1.
    """
    if agreement is None:
        constant, weight = CONFIDENCE_ALONE
        found = constant + weight * confidence
    else:
        found = CONSTANT + CONFIDENCE * confidence + AGREEMENT * agreement + MORE_TAGS * min(tags - 1, 2)
    return min(1.0, max(0.0, found))


def expect(sample: Sample, classes: Classes, labels: Array, sure: Array, before: Array | None) -> Iterator[Expected]:
    """What is expected of each tag of a photo.

    Args:
        sample: a photo with tags.
        classes: of the labels.
        labels: uint8 (H, W), its mask.
        sure: uint8 (H, W), confidence of 0..255.
        before: uint8 (H, W), the mask that this one was made from, or None.
    """
    for name in sample.tags:
        label = classes.names.index(name) + 1
        inside = labels == label
        area = float(inside.mean())
        confidence = float(sure[inside].mean()) / 255 if area else 0.0
        agreement = None if before is None else _overlap(inside, before == label)
        iou = expected_iou(confidence, agreement, len(sample.tags)) if area else 0.0
        yield Expected(sample.id, name, area, confidence, agreement, iou)


def expect_all(
    images: ImageSet,
    read: Callable[[Sample], Array],
    read_confidence: Callable[[Sample], Array],
    read_before: Callable[[Sample], Array] | None = None,
) -> list[Expected]:
    """What is expected of every tag of every photo; photos without tags have none.

    Args:
        images: photos with tags.
        read: reads a photo's mask, values as on disk.
        read_confidence: reads its confidence, uint8 (H, W).
        read_before: reads the mask that it was made from, if there is one.
    """
    classes = images.classes

    def one(sample: Sample) -> list[Expected]:
        before = None if read_before is None else classes.to_labels(read_before(sample))
        return list(expect(sample, classes, classes.to_labels(read(sample)), read_confidence(sample), before))

    return [each for found in shared_out([sample for sample in images.samples if sample.tags], one) for each in found]


def by_photo(expected: Iterable[Expected]) -> dict[str, float]:
    """The mean expected IoU over the tags of each photo, by id."""
    found: dict[str, list[float]] = {}
    for each in expected:
        found.setdefault(each.id, []).append(each.iou)
    return {name: float(np.mean(ious)) for name, ious in found.items()}


def _overlap(one: Array, other: Array) -> float:
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 0.0
