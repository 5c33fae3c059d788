import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weakseg.ops import pair_distance as module
from weakseg.ops.pairs import Border, pair_offsets

BORDERS = st.sampled_from(["all", "crop"])


def naive(features: torch.Tensor, radius: int) -> torch.Tensor:
    """Every pair by its definition, differentiable by autograd."""
    batch, _, height, width = features.shape
    result = torch.zeros(batch, len(pair_offsets(radius)), height, width) + 0 * features.sum()
    for k, (dy, dx) in enumerate(pair_offsets(radius)):
        for y in range(height - dy):
            for x in range(max(0, -dx), width - max(0, dx)):
                result[:, k, y, x] = (features[:, :, y, x] - features[:, :, y + dy, x + dx]).abs().sum(dim=1)
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 4), st.integers(0, 1000))
def test_distance_and_gradient_by_definition(height: int, width: int, radius: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randint(-2, 3, (2, 3, height, width), generator=generator).float().requires_grad_()
    weights = torch.rand(2, len(pair_offsets(radius)), height, width, generator=generator)
    expected, found = naive(features, radius), module.pair_distance(features, radius)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), features),
        torch.autograd.grad((expected * weights).sum(), features),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 12), st.integers(9, 14), BORDERS, st.booleans(), st.integers(0, 1000))
def test_loops_equal_tensor_operations(height: int, width: int, border: Border, last: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 19, height, width, generator=generator)
    if last:
        features = features.contiguous(memory_format=torch.channels_last)
    features.requires_grad_()
    found = module.pair_distance(features, 5, border)
    torch.testing.assert_close(found, module.distances(features.detach(), 5, border))
    gradient = torch.randn(found.shape, generator=generator) * (torch.rand(found.shape, generator=generator) > 0.5)
    found.backward(gradient)
    expected = module.distances_backward(features.detach(), gradient, 5, border)
    torch.testing.assert_close(features.grad, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    features = torch.randn(2, 32, 20, 24, generator=torch.Generator().manual_seed(0))
    here, there = features.clone().requires_grad_(), features.cuda().requires_grad_()
    first, second = module.pair_distance(here, 5), module.pair_distance(there, 5)
    first.square().sum().backward()
    second.square().sum().backward()
    torch.testing.assert_close(second.cpu(), first)
    assert there.grad is not None
    torch.testing.assert_close(there.grad.cpu(), here.grad, rtol=1e-4, atol=1e-3)


def test_half_precision_features() -> None:
    features = torch.rand(1, 8, 6, 7, dtype=torch.bfloat16, requires_grad=True)
    distance = module.pair_distance(features, 3)
    distance.sum().backward()
    assert distance.dtype == torch.float32
    assert features.grad is not None
    assert features.grad.dtype == torch.bfloat16


def test_nan_features_stay_visible() -> None:
    features = torch.zeros(1, 20, 3, 3)
    features[0, 5, 1, 1] = torch.nan
    distance = module.pair_distance(features, 2)
    assert torch.equal(distance.isnan(), module.distances(features, 2, "all").isnan())
    assert distance.isnan().any()
