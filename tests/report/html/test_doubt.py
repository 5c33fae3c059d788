"""Doubt of masks without ground truth."""

import numpy as np
import pytest

from weakseg.data.sample import Sample
from weakseg.evaluation.expected import Expected
from weakseg.pipeline.masklist import write_mask_list
from weakseg.report.html.doubt import expected_ious, listed_doubt, mean_doubt

PHOTO = Sample("a/1", lambda: None, ("cat",))
LABELS = np.uint8([[0, 1], [2, 255]])


def test_doubt_is_of_the_foreground_alone():
    confidence = np.uint8([[0, 255], [51, 0]])
    assert mean_doubt(PHOTO, LABELS, confidence) == pytest.approx(1 - (1 + 0.2) / 2)


def test_a_tagged_photo_with_an_empty_mask_is_the_most_doubtful():
    empty = np.uint8([[0, 255]])
    assert mean_doubt(PHOTO, empty, np.uint8([[255, 255]])) == 1
    assert mean_doubt(Sample("b", lambda: None, ()), empty, np.uint8([[255, 255]])) is None


@pytest.mark.parametrize("confidence", [None, np.zeros((1, 2), np.uint8)])
def test_without_a_confidence_that_fits_doubt_is_not_known(confidence):
    assert mean_doubt(PHOTO, LABELS, confidence) is None


def test_expected_ious_are_read_where_they_are_listed(tmp_path):
    rows = [Expected("a/1", "cat", 0.1, 0.9, None, 0.5), Expected("a/1", "dog", 0.1, 0.9, None, 1.0)]
    write_mask_list(tmp_path, rows)
    assert expected_ious(tmp_path) == {"a/1": 0.75}
    doubt = listed_doubt(expected_ious(tmp_path))
    assert doubt(PHOTO, LABELS, None) == 0.25
    assert doubt(Sample("b", lambda: None, ("cat",)), LABELS, np.full((2, 2), 255, np.uint8)) == 0


@pytest.mark.parametrize("text", [None, "", "image,mask\na.jpg,masks/a.png\n", "\x00\n\x00"])
def test_other_lists_tell_nothing(tmp_path, text):
    if text is not None:
        (tmp_path / "masks.csv").write_text(text)
    assert expected_ious(tmp_path) == {}
