"""How doubtful the mask of a photo is, without ground truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from weakseg.data.sample import BACKGROUND, IGNORE, Array, Sample
from weakseg.errors import WeaksegError
from weakseg.evaluation.expected import by_photo
from weakseg.pipeline.masklist import read_mask_list

Doubt = Callable[[Sample, Array, Array | None], float | None]
"""Of a photo, its labels (H, W) and their confidence, uint8 (H, W), or None: from 0, sure, to 1, doubtful."""


def mean_doubt(sample: Sample, labels: Array, confidence: Array | None) -> float | None:
    """1 - the mean confidence over the mask's foreground; 1 for a tagged photo whose mask has none.

    Returns:
        0 to 1; None where there is no confidence, or the photo has no tag and its mask no foreground.
    """
    inside = (labels != BACKGROUND) & (labels != IGNORE)
    if not inside.any():
        return 1.0 if sample.tags else None
    if confidence is None or confidence.shape != labels.shape:
        return None
    return 1.0 - float(confidence[inside].mean()) / 255


def listed_doubt(expected: dict[str, float], otherwise: Doubt = mean_doubt) -> Doubt:
    """1 - the expected IoU of the photos that have one; the others as ``otherwise`` says."""

    def doubt(sample: Sample, labels: Array, confidence: Array | None) -> float | None:
        found = expected.get(sample.id)
        return 1.0 - found if found is not None else otherwise(sample, labels, confidence)

    return doubt


def expected_ious(stage: Path) -> dict[str, float]:
    """The mean expected IoU of each photo's tags, by id, from a stage's list of masks; empty without one."""
    try:
        return by_photo(read_mask_list(stage))
    except WeaksegError:
        return {}
