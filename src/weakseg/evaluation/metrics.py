"""One confusion matrix over all images, and the scores that are read from it (docs/methods/cam.md)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_confusion_matrix

from weakseg.data.sample import BACKGROUND, IGNORE, Array
from weakseg.errors import WeaksegError

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """What a set of masks scores against the ground truth. All figures are fractions in [0, 1].

    Attributes:
        names: the C + 1 labels in order, background first.
        iou: IoU per label; 0 for a class that is predicted but never true, nan for one that is neither.
        pixels: ground truth pixels per label (255 not counted); 0 for a class absent from the ground truth.
        pixel_accuracy: part of the counted pixels whose label is right; nan without any pixel.
    """

    names: tuple[str, ...]
    iou: tuple[float, ...]
    pixels: tuple[int, ...]
    pixel_accuracy: float

    @classmethod
    def from_confusion(cls, names: Sequence[str], confusion: Counts) -> Scores:
        """Read the scores from a confusion matrix.

        Args:
            names: the C foreground class names, without background.
            confusion: pixel counts (C + 1, C + 1), row = true label, column = predicted label.
        """
        right = confusion.diagonal()
        true = confusion.sum(axis=1)
        union = true + confusion.sum(axis=0) - right
        iou = (int(r) / int(u) if u else math.nan for r, u in zip(right, union, strict=True))
        total = int(true.sum())
        accuracy = int(right.sum()) / total if total else math.nan
        return cls(("background", *names), tuple(iou), tuple(int(count) for count in true), accuracy)

    @property
    def miou_present(self) -> float:
        """Mean IoU over the labels present in the ground truth, background included.

        A class that is predicted but never true does not count here; see ``miou_occurring``.
        """
        return _mean(iou for iou, count in zip(self.iou, self.pixels, strict=True) if count)

    @property
    def miou_all(self) -> float:
        """Mean IoU over all C + 1 labels, 0 for those that are absent (the convention of SEAM and CPN)."""
        return _mean(0.0 if math.isnan(iou) else iou for iou in self.iou)

    @property
    def miou_occurring(self) -> float:
        """Mean IoU over the labels that are true or predicted somewhere: 0 for those that are predicted but never true.

        Source: chainercv's ``eval_semantic_segmentation`` (a mean that leaves out nan), which IRNet's scripts report.
        """
        return _mean(iou for iou in self.iou if not math.isnan(iou))

    @property
    def background_iou(self) -> float:
        """IoU of the background."""
        return self.iou[BACKGROUND]

    @property
    def foreground_miou(self) -> float:
        """Mean IoU over the foreground classes present in the ground truth."""
        return _mean(iou for iou, count in zip(self.iou[1:], self.pixels[1:], strict=True) if count)

    def to_dict(self) -> dict[str, Any]:
        """All figures, ready for JSON: nan becomes None, IoU and pixels are keyed by class name."""
        return {
            "miou_present": _or_none(self.miou_present),
            "miou_all": _or_none(self.miou_all),
            "miou_occurring": _or_none(self.miou_occurring),
            "background_iou": _or_none(self.background_iou),
            "foreground_miou": _or_none(self.foreground_miou),
            "pixel_accuracy": _or_none(self.pixel_accuracy),
            "iou": dict(zip(self.names, map(_or_none, self.iou), strict=True)),
            "pixels": dict(zip(self.names, self.pixels, strict=True)),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Scores:
        """Inverse of :meth:`to_dict`; the means are computed anew."""
        return cls(
            tuple(content["iou"]),
            tuple(map(_or_nan, content["iou"].values())),
            tuple(content["pixels"].values()),
            _or_nan(content["pixel_accuracy"]),
        )


class ConfusionMatrix:
    """Counts (true label, predicted label) over any number of images of any sizes.

    Ground truth 255 is left out. A prediction of 255 counts as background, as irn's evaluation does.

    Example:
        >>> matrix = ConfusionMatrix(["cat"])
        >>> matrix.add(np.uint8([[0, 1, 1]]), np.uint8([[0, 1, 255]]))
        >>> matrix.scores().iou
        (1.0, 1.0)

    Attributes:
        names: the C foreground class names.
        counts: int64 (C + 1, C + 1), row = true label, column = predicted label.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.counts: Counts = np.zeros((len(self.names) + 1,) * 2, dtype=np.int64)

    def add(self, prediction: Array, truth: Array, *, image: str = "image") -> None:
        """Count one image.

        Args:
            prediction: labels (H, W), 0..C or 255.
            truth: labels (H, W), 0..C or 255.
            image: its id, for error messages.

        Raises:
            WeaksegError: the sizes differ, or a label is of no class.
        """
        check_size(prediction.shape, truth, image)
        counted = truth != IGNORE
        predicted, true = prediction[counted], truth[counted]
        predicted[predicted == IGNORE] = BACKGROUND
        n_labels = len(self.counts)
        check_labels(predicted, n_labels, f"{image}: the prediction")
        check_labels(true, n_labels, f"{image}: the ground truth")
        # Leaving the ignored pixels out above is several times as fast as torchmetrics' ignore_index.
        counts = multiclass_confusion_matrix(
            torch.from_numpy(predicted), torch.from_numpy(true), num_classes=n_labels, validate_args=False
        )
        self.counts += counts.numpy()

    def scores(self) -> Scores:
        """The scores over all images added so far."""
        return Scores.from_confusion(self.names, self.counts)

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Pixels by true and predicted label, ready for JSON: ``found[true][predicted]``, without those of none.

        Example:
            >>> matrix = ConfusionMatrix(["cat"])
            >>> matrix.add(np.uint8([[0, 1, 1]]), np.uint8([[0, 1, 0]]))
            >>> matrix.to_dict()
            {'background': {'background': 1, 'cat': 1}, 'cat': {'cat': 1}}
        """
        names = ("background", *self.names)
        return {
            true: {names[column]: int(row[column]) for column in np.flatnonzero(row)}
            for true, row in zip(names, self.counts, strict=True)
            if row.any()
        }


def check_size(size: Sequence[int], truth: Array, image: str) -> None:
    """Raise WeaksegError unless ``size`` (H, W) is that of the ground truth."""
    if tuple(size) != truth.shape:
        ours, theirs = (" x ".join(map(str, shape)) for shape in (size, truth.shape))
        raise WeaksegError(f"{image}: the prediction is {ours}, its ground truth {theirs}; both need the image's size")


def check_labels(labels: NDArray[Any], n_labels: int, what: str) -> None:
    """Raise WeaksegError, naming ``what``, unless all labels are in 0..n_labels - 1."""
    if labels.size and not 0 <= labels.min() <= labels.max() < n_labels:
        bad = sorted({int(label) for label in np.unique(labels)} - set(range(n_labels)))
        raise WeaksegError(f"{what} has label {bad[0]}, of no class; labels are 0 to {n_labels - 1} and {IGNORE}")


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
