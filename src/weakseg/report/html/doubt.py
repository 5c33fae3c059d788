"""How doubtful the mask of a photo is, without ground truth."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from weakseg.data.sample import BACKGROUND, IGNORE, Array, Sample

LIST, EXPECTED = "masks.csv", "expected_iou"

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
    """The column expected_iou of ``masks.csv`` in a stage's folder or in its ``masks``, by id; empty without one."""
    for folder in (stage / "masks", stage):
        found = _column(folder / LIST, stage / "masks")
        if found:
            return found
    return {}


def _column(table: Path, masks: Path) -> dict[str, float]:
    found = {}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                mask, value = row.get("mask"), _number(row.get(EXPECTED))
                path = table.parent / mask if mask else None
                if path is not None and value is not None and path.is_relative_to(masks):
                    found[path.relative_to(masks).with_suffix("").as_posix()] = value
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) and 0 <= value <= 1 else None
