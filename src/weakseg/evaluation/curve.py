"""Scores of soft maps at many background thresholds at once.

Whatever is chosen with this uses masks (``uses_masks``): a threshold that is best here was found with the
ground truth, and a result that rests on it must say so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from weakseg.data.sample import BACKGROUND, IGNORE, Array
from weakseg.errors import WeaksegError
from weakseg.evaluation.metrics import Counts, Scores, check_labels, check_size

DEFAULT_THRESHOLDS = tuple(step / 100 for step in range(100))


class ThresholdCurve:
    """Accumulates the confusion matrices of all thresholds over images of any sizes (uses_masks).

    At threshold t a pixel gets the first label of ``argmax([t, scores...])``: background where no score is above t,
    a tie included (SEAM's sweep). As there, t is first rounded to the precision of the scores.

    Each pixel is looked at once: it is foreground exactly at the thresholds below its highest score, so counting
    pixels per (true label, best label, number of thresholds below) holds the confusion matrix of every threshold.

    Attributes:
        names: the C foreground class names.
        thresholds: the T thresholds, ascending, without doubles.
    """

    def __init__(self, names: Sequence[str], thresholds: Iterable[float] = DEFAULT_THRESHOLDS) -> None:
        self.names = tuple(names)
        self.thresholds = tuple(sorted(set(thresholds)))
        n_labels = len(self.names) + 1
        self._counts: Counts = np.zeros((n_labels, n_labels, len(self.thresholds) + 1), dtype=np.int64)

    def add(self, classes: Sequence[int], scores: torch.Tensor, truth: Array, *, image: str = "image") -> None:
        """Count one image.

        Args:
            classes: the K labels that the image has maps of, as ``ClassMaps.classes`` (c + 1 for class c; 0 for a map
                of the background, which then competes beside the threshold). May be empty: all is background.
            scores: float (K, H, W), at the size of the ground truth.
            truth: labels (H, W), 0..C, or 255 for pixels left out.
            image: its id, for error messages.

        Raises:
            WeaksegError: the sizes differ, a label is of no class, or a score is nan.
        """
        n_labels = len(self._counts)
        check_size(tuple(scores.shape[1:]), truth, image)
        check_labels(np.asarray(classes, dtype=np.int64), n_labels, f"{image}: the list of maps")
        counted = truth != IGNORE
        true = truth[counted].astype(np.int64)
        check_labels(true, n_labels, f"{image}: the ground truth")
        if len(classes) == 0:
            self._counts[:, BACKGROUND, 0] += np.bincount(true, minlength=n_labels)
            return
        winner, below = self._winners(scores, counted, image)
        cells = (n_labels, len(classes), len(self.thresholds) + 1)
        counts = np.bincount(np.ravel_multi_index((true, winner, below), cells), minlength=math.prod(cells))
        for index, label in enumerate(classes):
            self._counts[:, label] += counts.reshape(cells)[:, index]

    def _winners(self, scores: torch.Tensor, counted: NDArray[np.bool_], image: str) -> tuple[Counts, Counts]:
        """Of each counted pixel: the index of its first highest map, and how many thresholds lie below that score."""
        best, winner = (item.cpu().numpy()[counted] for item in scores.max(dim=0))
        if np.isnan(best).any():
            raise WeaksegError(f"{image}: the scores have nan; make the maps anew")
        return winner, np.searchsorted(np.asarray(self.thresholds, dtype=best.dtype), best, side="left")

    def confusion(self) -> Counts:
        """The confusion matrices of all thresholds, int64 (T, C + 1, C + 1), row = true, column = predicted label."""
        at_least = self._counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
        foreground = at_least[..., 1:]
        confusion = np.moveaxis(foreground, -1, 0).copy()
        confusion[..., BACKGROUND] += (self._counts.sum(axis=(1, 2))[:, None] - foreground.sum(axis=1)).T
        return confusion

    def scores(self) -> list[Scores]:
        """The scores at each threshold, in the order of ``thresholds``."""
        return [Scores.from_confusion(self.names, confusion) for confusion in self.confusion()]

    def at(self, threshold: float) -> Scores:
        """The scores at one of the thresholds. Raises WeaksegError if the curve does not have it."""
        if threshold not in self.thresholds:
            first, last = self.thresholds[0], self.thresholds[-1]
            raise WeaksegError(f"threshold {threshold} is none of the {len(self.thresholds)} from {first} to {last}")
        return self.scores()[self.thresholds.index(threshold)]

    def best(self) -> tuple[float, Scores]:
        """The threshold with the highest ``miou_present`` (the lowest of equals) and its scores (uses_masks).

        Raises:
            WeaksegError: no pixel of ground truth was counted.
        """
        if not self._counts.any():
            raise WeaksegError("no ground truth to choose a threshold by; evaluate images that have masks")
        scores = self.scores()
        index = int(np.argmax([score.miou_present for score in scores]))
        return self.thresholds[index], scores[index]
