"""What is expected of masks without ground truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.evaluation.expected import by_photo, expect_all, expected_iou

CLASSES = Classes(("cat", "dog"), (5, 9), voc_palette())
UNIT = st.floats(0, 1)


@given(UNIT, st.none() | UNIT, st.integers(1, 9))
def test_it_is_an_iou_that_rises_with_what_speaks_for_a_mask(confidence, agreement, tags):
    found = expected_iou(confidence, agreement, tags)
    assert 0 <= found <= 1
    assert expected_iou(1.0, agreement, tags) >= found
    assert expected_iou(confidence, agreement, tags + 1) <= found
    if agreement is not None:
        assert expected_iou(confidence, 1.0, tags) >= found


def test_area_confidence_and_agreement_are_of_each_tag():
    before = np.uint8([[5, 5, 0, 9]])
    mask, sure = np.uint8([[5, 0, 0, 9]]), np.uint8([[255, 7, 9, 51]])
    samples = [Sample("a", lambda: None, ("cat", "dog")), Sample("sound", lambda: None, ())]
    images = ImageSet(CLASSES, samples)
    cat, dog = expect_all(images, lambda _: mask, lambda _: sure, lambda _: before)
    assert (cat.id, cat.name, cat.area, cat.confidence, cat.agreement) == ("a", "cat", 0.25, 1.0, 0.5)
    assert (dog.name, dog.area, dog.confidence, dog.agreement) == ("dog", 0.25, pytest.approx(0.2), 1.0)
    assert by_photo([cat, dog]) == {"a": pytest.approx((cat.iou + dog.iou) / 2)}
    alone, _ = expect_all(images, lambda _: mask, lambda _: sure)
    assert alone.agreement is None


def test_a_tag_without_a_pixel_is_expected_to_be_wrong():
    images = ImageSet(CLASSES, [Sample("a", lambda: None, ("cat",))])
    (lost,) = expect_all(images, lambda _: np.zeros((2, 2), np.uint8), lambda _: np.full((2, 2), 255, np.uint8))
    assert (lost.area, lost.confidence, lost.iou) == (0, 0, 0)
