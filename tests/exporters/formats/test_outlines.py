from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from supervision import polygon_to_mask

from weakseg.exporters.formats.outlines import outlines


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask that a reader makes of its outlines."""
    found = np.zeros(mask.shape, bool)
    for ring in outlines(mask)[0]:
        points = ring if len(ring) >= 3 else ring[[0, -1, 0]]
        part = polygon_to_mask(points, mask.shape[::-1]).astype(bool)
        assert not (found & part).any()
        found |= part
    return found


@settings(max_examples=150, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_filled_outlines_are_the_mask(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(filled(mask), mask)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_larger_masks_with_many_holes(share: float) -> None:
    mask = np.random.default_rng(2).random((40, 50)) < share
    np.testing.assert_array_equal(filled(mask), mask)


def test_few_points_and_counted_holes() -> None:
    mask = np.zeros((20, 30), bool)
    mask[2:12, 3:25] = True
    (ring,), holes = outlines(mask)
    assert holes == 0
    assert sorted(map(tuple, ring.tolist())) == [(3, 2), (3, 11), (24, 2), (24, 11)]
    mask[4:6, 5:7] = mask[4:6, 10:20] = False
    assert outlines(mask)[1] == 2
    assert len(outlines(np.eye(5, dtype=bool))[0]) == 1  # corners join
    assert outlines(np.zeros((3, 3), bool)) == ([], 0)
