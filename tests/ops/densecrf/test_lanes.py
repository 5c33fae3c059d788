import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from numpy.typing import NDArray

from weakseg.ops.densecrf._lanes import add, fill, greater, highest, load, multiply, store, total

Floats = NDArray[np.float32]


@njit
def put(numbers: Floats, place: int, factor: float, out: Floats) -> tuple[float, float]:
    """The greater of two numbers each, times the factor, plus one; and the sum and the greatest of the first four."""
    first, second = load(numbers, place), load(numbers, place + 4)
    store(out, 3, add(multiply(fill(factor), greater(first, second)), fill(1)))
    return total(first), highest(first)


def test_four_floats_at_once() -> None:
    numbers = np.array([[9, 1, -2, 3, 7], [4, -5, 6, 2, 8]], np.float32)
    out = np.zeros((2, 5), np.float32)
    for place in (np.uint32(1), 1):
        assert put(numbers, place, 0.5, out) == (1 - 2 + 3 + 7, 7)
    np.testing.assert_array_equal(out, [[0, 0, 0, 1 + 4 / 2, 1 - 2 / 2], [1 + 6 / 2, 1 + 7 / 2, 0, 0, 0]])


@pytest.mark.parametrize("array", [np.zeros(8), np.zeros((8, 2), np.float32).T, np.zeros(16, np.float32)[::2]])
def test_other_arrays_are_refused(array: Floats) -> None:
    with pytest.raises(TypingError):
        put(array, 0, 1.0, np.zeros(8, np.float32))
