import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakseg.methods.vwe.hspp import hybrid_pool

sides = st.integers(1, 11)


@pytest.mark.parametrize("size", ["32x32", "20x24", "33x35", "7x9", "5x8"])
def test_pooling_is_that_of_vwe(golden, size):
    vectors = golden("vwe_hspp")
    pooled = hybrid_pool(torch.from_numpy(vectors[f"x_{size}"]))
    np.testing.assert_allclose(pooled, vectors[f"y_{size}"], rtol=1e-5, atol=1e-6)


def test_a_level_is_the_mean_of_the_maxima_of_its_windows():
    features = torch.tensor([[1.0, 2, 0, 8, 7], [4, 3, 5, 0, 9]])[None, None]
    # Level 1: 9. Level 2: windows of 1 x 2, the last column is left out: 2, 8, 4, 5.
    assert hybrid_pool(features, (1,), gamma=0).item() == 9
    assert hybrid_pool(features, (2,), gamma=0).item() == pytest.approx((2 + 8 + 4 + 5) / 4)
    mean = features.mean().item()
    assert hybrid_pool(features, (1, 2), gamma=3).item() == pytest.approx((3 * mean + 9 + 4.75) / 5)


@given(height=sides, width=sides, gamma=st.floats(0, 5), seed=st.integers(0, 99))
def test_it_lies_between_mean_and_maximum_on_maps_of_any_size(height, width, gamma, seed):
    features = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    pooled = hybrid_pool(features, (1, 2), gamma)
    assert pooled.shape == (2, 3, 1, 1)
    assert (pooled <= features.amax((2, 3), keepdim=True) + 1e-5).all()
    if height % 2 == 0 and width % 2 == 0:  # otherwise level 2 leaves pixels out
        assert (pooled >= features.mean((2, 3), keepdim=True) - 1e-5).all()


@given(height=sides, width=sides, value=st.floats(-3, 3))
def test_a_constant_map_keeps_its_value(height, width, value):
    pooled = hybrid_pool(torch.full((1, 1, height, width), value))
    assert pooled.item() == pytest.approx(value, abs=1e-5)


def test_levels_finer_than_the_map_see_its_pixels():
    features = torch.randn(1, 2, 3, 2)
    torch.testing.assert_close(hybrid_pool(features, (4,), gamma=1.0), features.mean((2, 3), keepdim=True))


def test_scaling_the_features_scales_what_is_pooled():
    features = torch.randn(2, 3, 9, 6)
    torch.testing.assert_close(hybrid_pool(3 * features), 3 * hybrid_pool(features))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"levels": ()}, "levels"), ({"levels": (0, 2)}, "not \\[0, 2\\]"), ({"gamma": -1.0}, "gamma.*not -1.0")],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        hybrid_pool(torch.zeros(1, 1, 4, 4), **options)
