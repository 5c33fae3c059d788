from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from label_studio_brush_rle_rs import decode_rle, encode_rle

from weakseg.exporters.formats.brush import decode_brush, encode_brush


@settings(max_examples=100, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_masks_come_back(mask: np.ndarray) -> None:
    rle = encode_brush(mask)
    np.testing.assert_array_equal(decode_brush(rle, mask.shape), mask)
    np.testing.assert_array_equal(np.asarray(decode_rle(rle, False)), np.repeat(mask.ravel() * np.uint8(255), 4))


def test_runs_longer_than_a_number_and_another_writer() -> None:
    mask = np.zeros((400, 500), bool)
    mask[10:350, :] = True
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)
    other = encode_rle(np.repeat(mask.ravel() * np.uint8(255), 4), 8, [3, 4, 8, 16])
    np.testing.assert_array_equal(decode_brush(list(other), mask.shape), mask)


def test_values_that_do_not_repeat() -> None:
    """A stream as a browser may write it: four values after another, each with its own opacity."""
    values = [1, 2, 3, 255, 9, 9, 9, 0]
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16)) + f"000{7:03b}"
    bits += "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    rle = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert decode_brush(rle, (1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize(("cut", "size", "match"), [(3, (4, 4), "cut"), (None, (4, 5), "16 pixels, where 5x4")])
def test_streams_that_are_none(cut: int | None, size: tuple[int, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        decode_brush(encode_brush(np.eye(4, dtype=bool))[:cut], size)
