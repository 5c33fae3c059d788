import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from weakseg.methods.sipe import prototypes
from weakseg.methods.sipe.prototypes import (
    class_prototypes,
    image_specific_maps,
    maps_with_background,
    structure_overlap,
    structure_seeds,
    winners,
)


@pytest.fixture(scope="module")
def units(golden):
    return {name: torch.from_numpy(array) for name, array in golden("sipe_units").items()}


def naive_overlap(maps, features):
    """The formula, with one (N, K, P, P) tensor."""
    flat = features.flatten(2)
    similar = F.relu(F.cosine_similarity(flat[..., :, None], flat[..., None, :], dim=1, eps=1e-5))[:, None]
    areas = maps.flatten(2)[:, :, None]
    shared = (similar * areas).sum(3)
    return (shared / (similar.sum(3) + areas.sum(3) - shared)).view_as(maps)


def test_structure_seeds_are_those_of_sipe(units):
    overlap = structure_overlap(units["norm_cam"], units["feature"])
    overlap[:, 0] *= 0.5
    np.testing.assert_allclose(overlap.softmax(1), units["probs"], rtol=1e-5, atol=1e-6)
    seeds = structure_seeds(units["norm_cam"], units["feature"]) * units["valid_mask"]
    assert torch.equal(seeds, units["seeds"])


def test_what_an_untagged_class_wins_is_no_seed(units):
    allowed = units["valid_mask"].amax((2, 3), keepdim=True)
    seeds = structure_seeds(units["cam_unmasked"], units["feature"]) * allowed
    assert torch.equal(seeds, units["seeds_unmasked"])
    assert (seeds.sum(1) == 0).any()


def test_prototypes_and_image_specific_maps_are_those_of_sipe(units):
    found = class_prototypes(units["seeds"], units["hie"])
    np.testing.assert_allclose(found, units["prototypes"][..., 0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(image_specific_maps(found, units["hie"]), units["IS_cam"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("block", [1, 20_000, 1 << 30])
def test_blocks_change_nothing(units, block, monkeypatch):
    expected = structure_overlap(units["norm_cam"], units["feature"])
    monkeypatch.setattr(prototypes, "_BLOCK", block)
    torch.testing.assert_close(structure_overlap(units["norm_cam"], units["feature"]), expected, rtol=1e-5, atol=1e-7)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 7), st.integers(1, 7)),
)
@settings(max_examples=60, deadline=None)
def test_overlap_is_its_formula(seed, shape):
    count, channels, depth, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(count, channels, height, width, generator=generator) + 0.01
    features = torch.randn(count, depth, height, width, generator=generator)
    overlap = structure_overlap(maps, features)
    torch.testing.assert_close(overlap, naive_overlap(maps, features), rtol=1e-4, atol=1e-6)
    turn = torch.randperm(channels, generator=generator)
    torch.testing.assert_close(structure_overlap(maps[:, turn], features), overlap[:, turn], rtol=1e-4, atol=1e-6)


def test_no_evidence_gives_no_nan():
    maps, features = torch.zeros(2, 3, 4, 5), torch.zeros(2, 6, 4, 5)
    assert not structure_overlap(maps, features).any()
    nothing = image_specific_maps(class_prototypes(maps, features), features)
    assert torch.equal(nothing, maps)


def test_memory_does_not_hold_the_similarities_of_all_pixels(monkeypatch):
    """1200 pixels in blocks of 50: no operation makes a tensor larger than the maps and one column."""
    monkeypatch.setattr(prototypes, "_BLOCK", 60_000)
    largest = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    with Watch():
        structure_seeds(torch.rand(1, 81, 30, 40), torch.rand(1, 4, 30, 40))
    assert largest <= 82 * 1200


def test_maps_with_background_share_one():
    logits = torch.tensor([[[[-1.0, 2.0, 4.0]], [[3.0, 0.0, -2.0]]]])
    expected = torch.tensor([[[[0.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]], [[1.0, 0.0, 0.0]]]])
    torch.testing.assert_close(maps_with_background(logits), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("classes", [1, 80])
def test_without_positive_evidence_all_is_background(classes):
    maps = maps_with_background(-torch.rand(2, classes, 3, 4))
    assert torch.equal(maps[:, 0], torch.ones(2, 3, 4))
    assert not maps[:, 1:].any()


def test_winners_are_one_per_pixel_and_the_first_of_equals():
    maps = torch.tensor([0.2, 0.7, 0.7, 0.0]).view(1, 4, 1, 1).expand(1, 4, 2, 3)
    assert torch.equal(winners(maps).sum((2, 3)), torch.tensor([[0.0, 6, 0, 0]]))


def test_only_the_prototypes_let_gradients_through(units):
    features = units["hie"].clone().requires_grad_()
    assert not structure_seeds(units["norm_cam"], features).requires_grad
    image_specific_maps(class_prototypes(units["seeds"], features), features).sum().backward()
    assert features.grad is not None
    assert features.grad.any()
