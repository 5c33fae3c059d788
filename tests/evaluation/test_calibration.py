"""Reliability of confidences against ground truth."""

import math
from fractions import Fraction

import numpy as np
import pytest

from weakseg.errors import WeaksegError
from weakseg.evaluation.calibration import Reliability


def naive(prediction, confidence, truth, bins):
    """Expected calibration error pixel by pixel."""
    groups = {}
    for label, sure, true in zip(prediction.flat, confidence.flat, truth.flat, strict=True):
        if 255 in (label, true):
            continue
        number = max(math.ceil(Fraction(int(sure) * bins, 255)) - 1, 0)
        groups.setdefault(number, []).append((int(sure) / 255, label == true))
    total = sum(map(len, groups.values()))
    gaps = (abs(sum(right for _, right in each) - sum(sure for sure, _ in each)) for each in groups.values())
    return sum(gaps) / total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_single_pixels(bins):
    rng = np.random.default_rng(0)
    prediction, truth = rng.choice([0, 1, 2, 255], (2, 40, 30), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
    confidence = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    found = Reliability()
    for half in (slice(20), slice(20, None)):
        found.add(prediction[half], confidence[half], truth[half])
    calibration = found.calibration(bins)
    assert len(calibration.bins) == bins
    assert calibration.pixels == ((prediction != 255) & (truth != 255)).sum()
    assert calibration.expected_error == pytest.approx(naive(prediction, confidence, truth, bins))


def test_bins_tell_confidence_accuracy_and_bias():
    found = Reliability()
    found.add(np.uint8([[1, 1, 0, 0]]), np.uint8([[255, 255, 51, 0]]), np.uint8([[1, 0, 0, 1]]))
    first, *middle, last = found.calibration(5).bins
    assert (first.low, first.high, first.pixels, first.confidence, first.accuracy) == (0, 0.2, 2, 0.1, 0.5)
    assert (last.pixels, last.confidence, last.accuracy) == (2, 1, 0.5)
    assert not any(part.pixels for part in middle)
    assert found.calibration(5).bias == pytest.approx((1 + 1 + 0.2 + 0) / 4 - 0.5)


def test_the_foreground_alone():
    found = Reliability(foreground=True)
    found.add(np.uint8([[1, 0, 255]]), np.uint8([[255, 9, 9]]), np.uint8([[1, 1, 1]]))
    assert found.calibration().pixels == 1
    assert found.calibration().expected_error == 0


def test_nothing_counted_and_sizes_that_differ():
    found = Reliability()
    assert math.isnan(found.calibration().expected_error)
    with pytest.raises(WeaksegError, match="photo 3, confidence: the prediction is 1 x 2"):
        found.add(np.zeros((2, 2), np.uint8), np.zeros((1, 2), np.uint8), np.zeros((2, 2), np.uint8), image="photo 3")
