"""What selftrain learns from a first mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weakseg.pipeline.stages.selftrain import without_doubtful

SHAPE = (6, 7)


@given(
    arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 3, 9, 255])),
    arrays(np.uint8, SHAPE, elements=st.integers(0, 255), fill=st.nothing()),
    st.floats(0, 1),
)
def test_at_most_a_share_of_each_class_is_doubtful_and_background_never(
    mask: np.ndarray, confidence: np.ndarray, share: float
) -> None:
    learnt = without_doubtful(mask, confidence, share)
    changed = learnt != mask
    assert (learnt[changed] == 255).all()
    for value in (3, 9):
        left_out, kept = confidence[changed & (mask == value)], confidence[learnt == value]
        assert left_out.size <= share * (mask == value).sum()
        assert (mask == value).any() == (kept.size > 0)
        assert not left_out.size or left_out.max() < kept.min()
    assert not changed[mask == 0].any()


def test_the_least_confident_third_is_left_out() -> None:
    mask, confidence = np.full((3, 3), 5, np.uint8), np.arange(9, dtype=np.uint8).reshape(3, 3)
    learnt = without_doubtful(mask, confidence, 1 / 3)
    assert (learnt == 255).ravel().tolist() == [True] * 3 + [False] * 6
    assert (mask == 5).all()
    assert without_doubtful(mask, np.zeros_like(confidence), 0.9) is not mask
    assert (without_doubtful(mask, np.zeros_like(confidence), 0.9) == 5).all()
