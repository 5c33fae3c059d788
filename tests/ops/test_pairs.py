from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakseg.ops import pairs

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def indices(size: tuple[int, int], radius: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Flat indices of sources (P,) and partners (n, P) in the authors' order."""
    grid = np.arange(size[0] * size[1]).reshape(size)
    windows = pairs.pair_windows(size, radius, "crop")
    return grid[windows[0].source].ravel(), np.stack([grid[window.target].ravel() for window in windows])


def test_pairs_as_released(golden: Golden) -> None:
    data = golden("psa_pairs")
    source, target = indices((20, 24), 5)
    np.testing.assert_array_equal(source, data["from_20x24"])
    np.testing.assert_array_equal(target.ravel(), data["to_20x24"])
    both = np.stack([np.broadcast_to(source, target.shape).ravel(), target.ravel()], axis=1)
    np.testing.assert_array_equal(both, data["fromto_20x24"])
    source, target = indices((9, 13), 3)
    np.testing.assert_array_equal(source, data["from_r3_9x13"])
    np.testing.assert_array_equal(target.ravel(), data["to_r3_9x13"])


def test_pairs_of_a_training_map(golden: Golden) -> None:
    data = golden("psa_pairs")
    source, target = indices((56, 56), 5)
    assert (source.size, target.size) == (data["n_from_56"], data["n_to_56"])
    assert (source.sum(), target.sum()) == (data["sum_from_56"], data["sum_to_56"])
    np.testing.assert_array_equal(source[:200], data["from_56_first"])
    np.testing.assert_array_equal(target.ravel()[:200], data["to_56_first"])


def test_offsets_as_released(golden: Golden) -> None:
    np.testing.assert_array_equal(pairs.pair_offsets(5), golden("psa_affinity_label")["search_dist"])


@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 6))
def test_every_close_pair_exists_once(height: int, width: int, radius: int) -> None:
    grid = np.arange(height * width).reshape(height, width)
    found = []
    for window in pairs.pair_windows((height, width), radius):
        found += list(zip(grid[window.source].ravel(), grid[window.target].ravel(), strict=True))
    near = [
        (a, b)
        for a in range(height * width)
        for b in range(a + 1, height * width)
        if (a // width - b // width) ** 2 + (a % width - b % width) ** 2 < radius**2
    ]
    assert sorted(found) == near


def test_pair_list_round_trip() -> None:
    listed = torch.rand(2, 34, (12 - 4) * (14 - 8))
    stencil = pairs.pairs_to_stencil(listed, (12, 14), 5)
    assert stencil.shape == (2, 34, 12, 14)
    assert torch.equal(pairs.stencil_to_pairs(stencil, 5), listed)
    assert stencil.sum() == pytest.approx(listed.sum().item())


@pytest.mark.parametrize("size", [(4, 20), (20, 8)])
def test_crop_refuses_small_maps(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]} has no pairs of radius 5.*border 'all'"):
        pairs.pair_windows(size, 5, "crop")


def test_radius_is_at_least_two() -> None:
    with pytest.raises(ValueError, match="at least 2, got 1"):
        pairs.pair_offsets(1)
