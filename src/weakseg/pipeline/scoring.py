"""Scores of maps and masks against the ground truth. Nothing else in the pipeline opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.engine.progress import track
from weakseg.errors import WeaksegError
from weakseg.evaluation.curve import DEFAULT_THRESHOLDS, ThresholdCurve
from weakseg.evaluation.metrics import ConfusionMatrix, check_size
from weakseg.ops.maps import resize_maps


@dataclass(frozen=True)
class Scored:
    """What was scored.

    Attributes:
        images: how many images were counted.
        without_mask: how many have no ground truth.
        problems: one line per image left out because a file is missing, unreadable or of the wrong size.
        figures: ready for JSON.
    """

    images: int
    without_mask: int
    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"images": self.images, "without_mask": self.without_mask, "left_out": self.problems, **self.figures}


def score_masks(images: ImageSet, read: Callable[[Sample], Array], title: str) -> Scored:
    """Score masks: one confusion matrix over all images.

    Args:
        images: with ground truth.
        read: a sample's predicted mask, values as on disk.
        title: of the progress bar.
    """
    matrix = ConfusionMatrix(images.classes.names)

    def add(sample: Sample, truth: Array) -> None:
        matrix.add(images.classes.to_labels(read(sample)), truth, image=sample.id)

    counted, without, problems = _each(images, add, title)
    figures = {"scores": matrix.scores().to_dict()} if counted else {}
    return Scored(counted, without, problems, figures)


def score_maps(images: ImageSet, read: Callable[[Sample], ClassMaps], threshold: float, title: str) -> Scored:
    """Score maps at the recipe's fixed threshold, and at the best one, which is chosen with the masks.

    Args:
        images: with ground truth.
        read: a sample's maps, without background channel.
        threshold: of the recipe.
        title: of the progress bar.
    """
    curve = ThresholdCurve(images.classes.names, (*DEFAULT_THRESHOLDS, threshold))

    def add(sample: Sample, truth: Array) -> None:
        maps = read(sample)
        check_size(maps.size, truth, sample.id)
        curve.add(maps.classes, resize_maps(maps.scores, maps.size), truth, image=sample.id)

    counted, without, problems = _each(images, add, title)
    if not counted:
        return Scored(counted, without, problems)
    best, best_scores = curve.best()
    figures = {
        "threshold": threshold,
        "scores": curve.at(threshold).to_dict(),
        "best": {"uses_masks": True, "threshold": best, "scores": best_scores.to_dict()},
    }
    return Scored(counted, without, problems, figures)


def _each(images: ImageSet, add: Callable[[Sample, Array], None], title: str) -> tuple[int, int, list[str]]:
    counted, without, problems = 0, 0, []
    for sample in track(images.samples, title, len(images)):
        if sample.mask is None:
            without += 1
            continue
        try:
            add(sample, images.classes.to_labels(sample.read_mask()))
            counted += 1
        except WeaksegError as error:
            problems.append(str(error))
    return counted, without, problems
