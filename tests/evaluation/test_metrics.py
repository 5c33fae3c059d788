from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.functional.segmentation import mean_iou

from weakseg.errors import WeaksegError
from weakseg.evaluation.metrics import ConfusionMatrix, Scores

VOC = [f"class{c}" for c in range(20)]


def label_maps(shape: tuple[int, int], n_labels: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, shape, elements=st.sampled_from([*range(n_labels), 255]))


@pytest.fixture
def voc_scores(golden):
    vectors = golden("miou")
    matrix = ConfusionMatrix(VOC)
    for prediction, truth in zip(vectors["pred"], vectors["gt"], strict=True):
        matrix.add(prediction, truth)
    return vectors, matrix


def test_confusion_is_that_of_chainercv(voc_scores):
    vectors, matrix = voc_scores
    np.testing.assert_array_equal(matrix.counts, vectors["chainer_confusion"])


def test_iou_is_that_of_vwe_and_chainercv(voc_scores):
    vectors, matrix = voc_scores
    scores = matrix.scores()
    np.testing.assert_allclose(scores.iou, vectors["vwe_iou"], rtol=1e-12)
    np.testing.assert_allclose(scores.iou, vectors["chainer_iou"], rtol=1e-12)
    assert scores.miou_present == pytest.approx(float(vectors["vwe_miou"]), rel=1e-12)
    # chainercv's mean counts a class that is predicted but never true, VWE's does not.
    assert scores.miou_occurring == pytest.approx(float(vectors["chainer_miou"]), rel=1e-12)
    assert scores.pixel_accuracy == pytest.approx(float(vectors["vwe_pixacc"]), rel=1e-12)


def test_mean_over_all_classes_is_that_of_seam(voc_scores):
    vectors, matrix = voc_scores
    scores = matrix.scores()
    np.testing.assert_allclose(np.nan_to_num(scores.iou) * 100, vectors["seam_iou"], rtol=1e-9)
    # SEAM prints the mean with five decimals
    assert scores.miou_all * 100 == pytest.approx(float(vectors["seam_miou"]), abs=1e-5)


def test_means_of_a_matrix_worked_out_by_hand():
    # never true, but predicted: bird. Neither: cow.
    confusion = np.array([[6, 2, 0, 0], [1, 3, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = Scores.from_confusion(["cat", "bird", "cow"], confusion)
    assert scores.names == ("background", "cat", "bird", "cow")
    assert scores.pixels == (8, 8, 0, 0)
    assert scores.iou[:3] == (6 / 9, 3 / 10, 0.0)
    assert math.isnan(scores.iou[3])
    assert scores.miou_present == pytest.approx((6 / 9 + 3 / 10) / 2)
    assert scores.miou_occurring == pytest.approx((6 / 9 + 3 / 10) / 3)
    assert scores.miou_all == pytest.approx((6 / 9 + 3 / 10) / 4)
    assert scores.background_iou == 6 / 9
    assert scores.foreground_miou == 3 / 10
    assert scores.pixel_accuracy == 9 / 16


@given(st.data(), st.integers(1, 6))
def test_confusion_adds_up_over_images_of_any_size(data, n_labels):
    matrix = ConfusionMatrix(VOC[: n_labels - 1])
    expected = np.zeros((n_labels, n_labels), dtype=np.int64)
    for shape in ((3, 4), (1, 1), (0, 2)):
        prediction, truth = (data.draw(label_maps(shape, n_labels)) for _ in range(2))
        matrix.add(prediction, truth)
        for ours, true in zip(prediction.ravel(), truth.ravel(), strict=True):
            if true != 255:
                expected[true, 0 if ours == 255 else ours] += 1
    np.testing.assert_array_equal(matrix.counts, expected)


def test_agrees_with_torchmetrics():
    rng = np.random.default_rng(0)
    prediction, truth = rng.integers(0, 5, (2, 30, 40)).astype(np.uint8)
    truth[:4] = 255
    matrix = ConfusionMatrix(VOC[:4])
    matrix.add(prediction, truth)
    ours, true = torch.from_numpy(prediction).long(), torch.from_numpy(truth).long()
    counts = multiclass_confusion_matrix(ours, true, num_classes=5, ignore_index=255)
    np.testing.assert_array_equal(matrix.counts, counts.numpy())
    iou = mean_iou(ours[None, 4:], true[None, 4:], num_classes=5, input_format="index")
    assert matrix.scores().miou_present == pytest.approx(float(iou), rel=1e-6)


def test_adding_leaves_the_masks_as_they_were():
    prediction, truth = np.uint8([[0, 1, 255]]), np.uint8([[0, 255, 1]])
    for mask in (prediction, truth):
        mask.flags.writeable = False
    matrix = ConfusionMatrix(["cat"])
    matrix.add(prediction, truth)
    np.testing.assert_array_equal(matrix.counts, [[1, 0], [1, 0]])
    assert matrix.scores().pixel_accuracy == 0.5


def test_without_ground_truth_there_is_no_score():
    scores = ConfusionMatrix(["cat"]).scores()
    assert math.isnan(scores.miou_present)
    assert math.isnan(scores.foreground_miou)
    assert math.isnan(scores.pixel_accuracy)
    assert scores.to_dict()["miou_present"] is None


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 9)))
def test_the_written_matrix_has_every_count_by_name(counts):
    matrix = ConfusionMatrix(["cat", "dog"])
    matrix.counts += counts
    names, written = ("background", "cat", "dog"), json.loads(json.dumps(matrix.to_dict()))
    np.testing.assert_array_equal([[written.get(true, {}).get(name, 0) for name in names] for true in names], counts)
    assert all(written.values())
    assert all(count for row in written.values() for count in row.values())


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 9)))
def test_scores_survive_json(confusion):
    scores = Scores.from_confusion(["cat", "dog"], confusion)
    written = json.dumps(scores.to_dict(), allow_nan=False)
    again = Scores.from_dict(json.loads(written))
    assert again.to_dict() == scores.to_dict()
    assert again.names == scores.names
    np.testing.assert_array_equal(again.iou, scores.iou)


def test_size_mismatch_is_an_error():
    with pytest.raises(WeaksegError, match=r"^cat/17: the prediction is 2 x 3, its ground truth 3 x 2; "):
        ConfusionMatrix(["cat"]).add(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), image="cat/17")


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (2, 0, "x: the prediction has label 2, of no class; labels are 0 to 1 and 255"),
        (0, 200, "x: the ground truth has label 200, of no class; labels are 0 to 1 and 255"),
    ],
)
def test_label_of_no_class_is_an_error(prediction, truth, message):
    matrix = ConfusionMatrix(["cat"])
    with pytest.raises(WeaksegError) as error:
        matrix.add(np.full((2, 2), prediction, np.uint8), np.full((2, 2), truth, np.uint8), image="x")
    assert str(error.value) == message
    assert not matrix.counts.any()
