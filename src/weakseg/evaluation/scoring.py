"""Scores of maps and masks against the ground truth. Nothing else in the pipeline opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.evaluation.curve import DEFAULT_THRESHOLDS, ThresholdCurve
from weakseg.evaluation.metrics import ConfusionMatrix, check_size
from weakseg.ops.maps import argmax_labels
from weakseg.refine.background import BackgroundSettings, add_background, foreground, own_background
from weakseg.training.progress import track

WEIGHTS = tuple(step / 50 for step in range(101))


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
    figures = {"scores": matrix.scores().to_dict(), "confusion": matrix.to_dict()} if counted else {}
    return Scored(counted, without, problems, figures)


def score_maps(
    images: ImageSet, read: Callable[[Sample], ClassMaps], section: BackgroundSettings, title: str
) -> Scored:
    """Score maps with the recipe's background, and with the best one, which is chosen with the masks.

    The best is looked for among thresholds, or where the rule is own among weights of the maps' background channel.

    Args:
        images: with ground truth.
        read: a sample's maps.
        section: the recipe's background.
        title: of the progress bar.
    """
    matrix = ConfusionMatrix(images.classes.names)
    own = section.rule == "own"
    swept = {"own": (*WEIGHTS, section.weight), "constant": (*DEFAULT_THRESHOLDS, section.threshold)}
    curve = ThresholdCurve(images.classes.names, swept.get(section.rule, DEFAULT_THRESHOLDS))

    def add(sample: Sample, truth: Array) -> None:
        maps = read(sample)
        if maps.size != truth.shape:  # made at a working size: judged at the photo's own
            check_size(sample.photo_size(), truth, sample.id)
            maps = maps.at((truth.shape[0], truth.shape[1]))
        masked = add_background(maps, section)
        matrix.add(argmax_labels(masked.scores, masked.classes).numpy(), truth, image=sample.id)
        found = foreground(maps)
        scores = found.full_scores()
        if own and found.classes:
            scores = weights_beaten(scores, own_background(maps).full_scores())
        curve.add(found.classes, scores, truth, image=sample.id)

    counted, without, problems = _each(images, add, title)
    if not counted:
        return Scored(counted, without, problems)
    best, best_scores = curve.best()
    chosen = {"uses_masks": True, "weight" if own else "threshold": best, "scores": best_scores.to_dict()}
    figures = {"scores": matrix.scores().to_dict(), "best": chosen, "confusion": matrix.to_dict()}
    return Scored(counted, without, problems, {**section.used(), **figures})


def weights_beaten(scores: Tensor, background: Tensor) -> Tensor:
    """The weight of the background below which each score wins: float64 (K, H, W).

    In double precision the quotient exceeds a weight just where the score exceeds the weighted background.

    Args:
        scores: (K, H, W), non-negative.
        background: (1, H, W), non-negative. Where both are 0, the background wins at every weight.
    """
    return scores.double() / background.double().clamp(min=1e-30)


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
