from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from weakseg.ops.maps import with_background
from weakseg.ops.seeds import affinity_seeds, power_seeds

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def test_seeds_as_released(golden: Golden) -> None:
    data = golden("psa_seed_merge")
    low, high = torch.from_numpy(data["la"]), torch.from_numpy(data["ha"])
    np.testing.assert_array_equal(affinity_seeds(low, high, [1, 2]), data["label"])
    named = affinity_seeds(low, high, [4, 19])
    np.testing.assert_array_equal(named == 19, data["label"] == 2)


def test_three_kinds_of_pixels() -> None:
    # Background with powers 4 and 32 equals thresholds of 0.276 and 0.077.
    scores = torch.tensor([[[0.9, 0.28, 0.27, 0.08, 0.07, 0.0]]])
    assert power_seeds(scores, [6], pool=1).tolist() == [[6, 6, 255, 255, 0, 0]]


def test_power_seeds_are_affinity_seeds() -> None:
    scores = torch.rand(2, 16, 24, generator=torch.Generator().manual_seed(0)) * 0.1
    scores[1, :8, :8] = 0.9
    inside = torch.ones(16, 24, dtype=torch.bool)
    inside[:, 16:] = False
    seeds = power_seeds(scores, [1, 5], inside=inside, low=4, high=24)
    expected = affinity_seeds(with_background(scores, 4) * inside, with_background(scores, 24) * inside, [1, 5])
    assert torch.equal(seeds, expected)
    assert seeds.shape == (2, 3)
    assert (seeds[:, 2] == 255).all()
    assert seeds[0, 0] == 5


def test_untagged_image_is_background() -> None:
    assert power_seeds(torch.zeros(0, 8, 16), []).tolist() == [[0, 0]]


def test_refuses_what_does_not_fit() -> None:
    scores = torch.zeros(2, 8, 8)
    with pytest.raises(ValueError, match="differ in shape"):
        affinity_seeds(scores, scores[:1], [1])
    with pytest.raises(ValueError, match="no multiples of 8"):
        affinity_seeds(scores[:, :7], scores[:, :7], [1])
    with pytest.raises(ValueError, match="below the high power"):
        power_seeds(scores, [1, 2], low=32, high=4)
