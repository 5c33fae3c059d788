"""Properties of the walk within boundaries; its agreement with the released code is tested in test_search_paths."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weakseg.methods.irnet.boundary_walk import full_size_scores, walk_within
from weakseg.methods.irnet.paths import path_affinity
from weakseg.ops.random_walk import neighbour_weights

SIDES = st.integers(1, 9)
RADII = st.integers(2, 5)
SEEDS = st.integers(0, 1000)
STEPS = st.integers(0, 9)


def random_case(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Scores (2, h, w) and a boundary (h, w), mostly weak."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, height, width, generator=generator), torch.rand(height, width, generator=generator) ** 4


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, STEPS)
def test_keeps_the_mass_that_starts(h: int, w: int, radius: int, seed: int, log2_steps: int) -> None:
    scores, boundary = random_case(h, w, seed)
    walked = walk_within(scores, boundary, radius=radius, beta=4, log2_steps=log2_steps)
    weights = neighbour_weights(path_affinity(boundary[None], radius).double() ** 4, radius)
    degree, start = weights[0].sum(dim=-1), scores * (1 - boundary)
    torch.testing.assert_close((walked * degree).sum(dim=(1, 2)), (start * degree).sum(dim=(1, 2)), rtol=1e-4, atol=0)
    assert (walked.amax(dim=(1, 2)) <= start.amax(dim=(1, 2))).all()
    assert (walked.amin(dim=(1, 2)) >= start.amin(dim=(1, 2))).all()


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, STEPS, st.floats(0, 1))
def test_leaves_constants_between_boundaries(
    h: int, w: int, radius: int, seed: int, log2_steps: int, value: float
) -> None:
    _, boundary = random_case(h, w, seed)
    full = (boundary > 0.5).float()
    constant = torch.full((1, h, w), value)
    walked = walk_within(constant, full, radius=radius, log2_steps=log2_steps)
    torch.testing.assert_close(walked, constant * (1 - full), rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, st.sampled_from([(-1,), (-2,), (-1, -2)]))
def test_commutes_with_flips(h: int, w: int, radius: int, seed: int, sides: tuple[int, ...]) -> None:
    scores, boundary = random_case(h, w, seed)
    walked = walk_within(scores, boundary, radius=radius, log2_steps=5)
    flipped = walk_within(scores.flip(sides), boundary.flip(sides), radius=radius, log2_steps=5)
    torch.testing.assert_close(flipped, walked.flip(sides), rtol=0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS)
def test_classes_do_not_touch(h: int, w: int, radius: int, seed: int) -> None:
    scores, boundary = random_case(h, w, seed)
    walked = walk_within(scores, boundary, radius=radius)
    torch.testing.assert_close(walk_within(scores.flip(0), boundary, radius=radius), walked.flip(0))
    torch.testing.assert_close(walk_within(scores[:1], boundary, radius=radius), walked[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_large_photo() -> None:
    """A photo of 2000 x 1500 at stride 4, of 300 like rooms between walls, walks as one room does."""
    scores, boundary = random_case(25, 25, 0)
    boundary[0] = boundary[:, 0] = 1
    walked = walk_within(scores.repeat(1, 15, 20), boundary.repeat(15, 20))
    room = walk_within(scores, boundary)
    torch.testing.assert_close(walked, room.repeat(1, 15, 20), rtol=0, atol=1e-5)
    assert full_size_scores(walked, (1500, 2000)).shape == (2, 1500, 2000)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_refuses_values_that_are_not_finite(value: float) -> None:
    scores, boundary = random_case(4, 5, 0)
    bad_scores, bad_boundary = scores.clone(), boundary.clone()
    bad_scores[0, 1, 1] = bad_boundary[1, 1] = value
    with pytest.raises(ValueError, match="1 of 40 scores are NaN or infinite"):
        walk_within(bad_scores, boundary)
    with pytest.raises(ValueError, match="1 of 20 boundary values are NaN or infinite"):
        walk_within(scores, bad_boundary)


def test_refuses_what_does_not_fit() -> None:
    scores, boundary = random_case(4, 5, 0)
    for pair in [(scores, boundary[:1]), (scores, boundary[:, :1]), (scores[0], boundary), (scores, boundary[None])]:
        with pytest.raises(ValueError, match="are of different maps"):
            walk_within(*pair)
