"""The figures of a report against ground truth."""

import numpy as np
import pytest

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes
from weakseg.evaluation.metrics import ConfusionMatrix
from weakseg.report.html.scores import LISTED, MATRIX, class_rows, colours, confusions, scored_splits, scored_stages

CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())


def entry(split, counts, names=("cat", "dog")):
    matrix = ConfusionMatrix(names)
    matrix.counts += np.asarray(counts)
    return {"split": split, "images": 3, "scores": matrix.scores().to_dict(), "confusion": matrix.to_dict()}


METRICS = {
    "localize": {"split": "train", "images": 0},
    "refine": entry("train", [[90, 0, 0], [5, 5, 0], [0, 0, 0]]),
    "predict": entry("val", [[50, 10, 0], [0, 0, 20], [0, 0, 20]]),
}


def test_a_row_per_label_with_the_data_s_colours():
    rows = {row.name: row for row in class_rows(METRICS, CLASSES)}
    assert list(rows) == ["background", "cat", "dog"]
    assert rows["cat"].colour == colours(CLASSES)["cat"] == "#400000"
    assert rows["cat"].iou == {"refine": 0.5, "predict": 0}
    assert rows["dog"].iou == {"refine": None, "predict": 0.5}
    assert rows["cat"].shares == pytest.approx((0.1, 0.2))
    assert scored_stages(METRICS) == ["refine", "predict"]
    assert scored_splits(METRICS) == ["train", "val"]
    assert class_rows({}, CLASSES) == []


def test_a_matrix_has_shares_of_the_true_label():
    refine, predict = confusions(METRICS)
    assert refine.names == ("background", "cat")  # dog is nowhere
    assert [[cell.share for cell in row] for row in refine.rows] == [[1, 0], [0.5, 0.5]]
    assert [(true, name, cell.share) for true, name, cell in predict.largest] == [
        ("cat", "dog", 1.0),
        ("background", "cat", pytest.approx(1 / 6)),
    ]


def test_many_labels_are_listed_by_their_largest_confusions():
    names = tuple(f"c{number}" for number in range(MATRIX + 20))
    counts = np.random.default_rng(0).integers(1, 100, (len(names) + 1,) * 2)
    (found,) = confusions({"refine": entry("train", counts, names)})
    assert found.rows == ()
    assert len(found.largest) == LISTED
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.fill_diagonal(shares, 0)
    assert [cell.share for *_, cell in found.largest] == pytest.approx(np.sort(shares, axis=None)[::-1][:LISTED])


def test_scores_of_an_earlier_version_have_no_matrix():
    old = {name: value for name, value in METRICS["refine"].items() if name != "confusion"}
    assert confusions({"refine": old}) == []
    assert len(class_rows({"refine": old}, CLASSES)) == 3
