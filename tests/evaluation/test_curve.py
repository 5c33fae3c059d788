from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weakseg.errors import WeaksegError
from weakseg.evaluation.curve import DEFAULT_THRESHOLDS, ThresholdCurve
from weakseg.evaluation.metrics import ConfusionMatrix

VOC = [f"class{c}" for c in range(20)]
ON_THRESHOLDS = np.float32(DEFAULT_THRESHOLDS)
# scores exactly at a threshold, one float below and above it, and anything between
SCORES = st.one_of(
    st.sampled_from([*ON_THRESHOLDS, *np.nextafter(ON_THRESHOLDS[1:], -1), *np.nextafter(ON_THRESHOLDS, 2)]),
    st.floats(0, 1, width=32),
)


def naive(labels, scores, truth, threshold, names):
    """The sweep as the papers do it: argmax of [threshold, scores], once per threshold."""
    stack = np.concatenate([np.full((1, *truth.shape), threshold, scores.dtype), scores])
    prediction = np.uint8([0, *labels])[stack.argmax(axis=0)]
    matrix = ConfusionMatrix(names)
    matrix.add(prediction, truth)
    return matrix.counts


def test_curve_is_that_of_seam(golden):
    vectors = golden("miou")
    curve = ThresholdCurve(VOC, vectors["curve_thresholds"].tolist())
    for classes, cam, truth in zip(vectors["cam_idx"], vectors["cam"], vectors["gt"], strict=True):
        curve.add([int(c) + 1 for c in classes], torch.from_numpy(cam), truth)
    found = [100 * scores.miou_all for scores in curve.scores()]
    np.testing.assert_allclose(found, vectors["seam_curve"], atol=1e-8)


@given(st.data())
def test_equals_the_naive_sweep(data):
    names = VOC[:4]
    curve = ThresholdCurve(names)
    expected = np.zeros((100, 5, 5), dtype=np.int64)
    for shape in ((2, 3), (1, 5)):
        labels = data.draw(st.lists(st.integers(0, 4), max_size=3, unique=True))
        scores = data.draw(arrays(np.float32, (len(labels), *shape), elements=SCORES))
        truth = data.draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, 4, 255])))
        curve.add(labels, torch.from_numpy(scores), truth)
        for index, threshold in enumerate(DEFAULT_THRESHOLDS):
            expected[index] += naive(labels, scores, truth, threshold, names)
    np.testing.assert_array_equal(curve.confusion(), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_at_its_threshold_is_background(dtype):
    scores = np.asarray(DEFAULT_THRESHOLDS, dtype)[None, None]
    truth = np.ones((1, 100), np.uint8)
    curve = ThresholdCurve(["cat"])
    curve.add([1], torch.from_numpy(scores), truth)
    # at threshold index i the scores of index > i are foreground, index i itself is a tie
    np.testing.assert_array_equal(curve.confusion()[:, 1, 1], np.arange(99, -1, -1))


def test_of_equal_scores_the_first_map_wins():
    curve = ThresholdCurve(["cat", "dog"], [0.5])
    curve.add([2, 1], torch.full((2, 1, 1), 0.75), np.uint8([[2]]))
    assert curve.at(0.5).pixel_accuracy == 1.0


def test_image_without_tags_is_background():
    curve = ThresholdCurve(["cat"], [0.0, 0.5])
    curve.add([], torch.zeros(0, 2, 2), np.uint8([[0, 1], [1, 255]]))
    np.testing.assert_array_equal(curve.confusion(), [[[1, 0], [2, 0]]] * 2)


def test_best_is_the_highest_and_lowest_of_equals():
    curve = ThresholdCurve(["cat"])
    curve.add([1], torch.tensor([[[0.1, 0.3, 0.8, 0.9]]]), np.uint8([[0, 0, 1, 1]]))
    threshold, scores = curve.best()
    assert threshold == 0.3
    assert scores.miou_present == 1.0
    assert curve.at(0.29).miou_present < 1.0
    assert [score.miou_present == 1.0 for score in curve.scores()] == [0.3 <= t < 0.8 for t in curve.thresholds]


def test_thresholds_are_sorted_and_unique():
    assert ThresholdCurve(["cat"], [0.5, 0.125, 0.5]).thresholds == (0.125, 0.5)
    assert len(ThresholdCurve(["cat"], (*DEFAULT_THRESHOLDS, 0.155)).thresholds) == 101


def test_threshold_off_the_curve_is_an_error():
    with pytest.raises(WeaksegError, match=r"^threshold 0\.155 is none of the 100 from 0\.0 to 0\.99$"):
        ThresholdCurve(["cat"]).at(0.155)


def test_best_without_ground_truth_is_an_error():
    curve = ThresholdCurve(["cat"])
    curve.add([1], torch.ones(1, 1, 2), np.uint8([[255, 255]]))
    with pytest.raises(WeaksegError, match="no ground truth"):
        curve.best()


@pytest.mark.parametrize(
    ("labels", "scores", "truth", "message"),
    [
        ([1], torch.zeros(1, 2, 3), np.zeros((3, 2), np.uint8), "a: the prediction is 2 x 3, its ground truth 3 x 2"),
        ([3], torch.zeros(1, 1, 1), np.zeros((1, 1), np.uint8), "a: the list of maps has label 3"),
        ([1], torch.zeros(1, 1, 1), np.full((1, 1), 7, np.uint8), "a: the ground truth has label 7"),
        ([1], torch.full((1, 1, 1), torch.nan), np.zeros((1, 1), np.uint8), "a: the scores have nan"),
        ([2, 1], torch.tensor([[[0.5]], [[torch.nan]]]), np.zeros((1, 1), np.uint8), "a: the scores have nan"),
    ],
)
def test_bad_input_is_named(labels, scores, truth, message):
    curve = ThresholdCurve(["cat", "dog"])
    with pytest.raises(WeaksegError, match=f"^{message}"):
        curve.add(labels, scores, truth, image="a")
    assert not curve.confusion().any()
