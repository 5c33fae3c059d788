from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from weakseg.methods.affinitynet.labels import affinity_seeds
from weakseg.ops.maps import with_background

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def test_seeds_as_released(golden: Golden) -> None:
    data = golden("psa_seed_merge")
    low, high = torch.from_numpy(data["la"]), torch.from_numpy(data["ha"])
    np.testing.assert_array_equal(affinity_seeds(low, high, [1, 2]), data["label"])
    named = affinity_seeds(low, high, [4, 19])
    np.testing.assert_array_equal(named == 19, data["label"] == 2)


def test_raw_scores_with_power_background() -> None:
    # Background with powers 4 and 32 equals thresholds of 0.276 and 0.077.
    scores = torch.tensor([[[0.9, 0.28, 0.27, 0.08, 0.07, 0.0]]])
    seeds = affinity_seeds(with_background(scores, 4), with_background(scores, 32), [6], pool=1)
    assert seeds.tolist() == [[6, 6, 255, 255, 0, 0]]


def test_outside_of_the_image_is_ignored() -> None:
    inside = torch.arange(24).expand(16, 24) < 16
    scores = with_background(torch.zeros(1, 16, 24), 4) * inside
    assert affinity_seeds(scores, scores, [1]).tolist() == [[0, 0, 255]] * 2


def test_untagged_image_is_background() -> None:
    scores = with_background(torch.zeros(0, 8, 16), 4)
    assert affinity_seeds(scores, scores, []).tolist() == [[0, 0]]


def test_refuses_what_does_not_fit() -> None:
    scores = torch.zeros(2, 8, 8)
    with pytest.raises(ValueError, match="differ in shape"):
        affinity_seeds(scores, scores[:1], [1])
    with pytest.raises(ValueError, match="no multiples of 8"):
        affinity_seeds(scores[:, :7], scores[:, :7], [1])
