from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from weakseg.methods.affinitynet.affinity import feature_affinity, pair_mask
from weakseg.ops.maps import argmax_labels, resize_maps, with_background
from weakseg.ops.pairs import pair_offsets, pair_windows, pairs_to_stencil
from weakseg.ops.random_walk import neighbour_weights, power_weights, random_walk, transition_matrix

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]
SIDES = st.integers(1, 9)
RADII = st.integers(2, 5)
SEEDS = st.integers(0, 1000)


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def random_case(height: int, width: int, radius: int, seed: int) -> tuple[Tensor, Tensor]:
    """Scores (2, h, w) and features (1, 4, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, height, width, generator=generator), torch.rand(1, 4, height, width, generator=generator) * 2


def dense_affinity(stencil: Tensor, radius: int) -> Tensor:
    """The n x n matrix that the released code builds, float64, unit diagonal."""
    size = (stencil.shape[-2], stencil.shape[-1])
    grid = torch.arange(size[0] * size[1]).view(size)
    dense = torch.eye(grid.numel(), dtype=torch.float64)
    for values, window in zip(stencil.double(), pair_windows(size, radius), strict=True):
        source, target = grid[window.source].flatten(), grid[window.target].flatten()
        dense[source, target] = dense[target, source] = values[window.source].flatten()
    return dense


def dense_walk(scores: Tensor, stencil: Tensor, radius: int, beta: float, log2_steps: int) -> Tensor:
    transition = dense_affinity(stencil, radius) ** beta
    transition = transition / transition.sum(dim=0, keepdim=True)
    for _ in range(log2_steps):
        transition = transition @ transition
    return (scores.double().flatten(1) @ transition).view_as(scores).float()


def single_steps(scores: Tensor, stencil: Tensor, radius: int, beta: float, steps: int) -> Tensor:
    """The walk step by step, in double precision: for maps whose dense matrix is large."""
    weights = neighbour_weights(stencil[None].double() ** beta, radius)[0]
    weights = weights / weights.sum(dim=-1, keepdim=True)
    reach = radius - 1
    near = [(-dy, -dx) for dy, dx in reversed(pair_offsets(radius))] + [(0, 0), *pair_offsets(radius)]
    walked = scores.double()
    height, width = walked.shape[-2:]
    for _ in range(steps):
        padded = F.pad(walked, (reach,) * 4)
        walked = torch.zeros_like(walked)
        for k, (dy, dx) in enumerate(near):
            top, left = reach + dy, reach + dx
            walked.addcmul_(weights[..., k], padded[:, top : top + height, left : left + width])
    return walked.float()


@pytest.mark.parametrize("size", [(47, 63), pytest.param((94, 125), marks=pytest.mark.slow)])
def test_photos_of_common_size(size: tuple[int, int]) -> None:
    """Within 5e-5 of 256 single steps where squaring the dense matrix takes seconds to minutes."""
    scores, features = random_case(*size, 5, 0)
    stencil = feature_affinity(features, 5)[0]
    walked = random_walk(scores, stencil, radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(walked, single_steps(scores, stencil, 5, 8, 256), rtol=0, atol=5e-5)


def test_affinitynet_walk_as_released(golden: Golden) -> None:
    data = tensors(golden, "psa_affinity_20x24")
    stencil = pairs_to_stencil(data["aff"], (20, 24), 5)[0]
    dense = dense_affinity(stencil, 5).float()
    torch.testing.assert_close(dense[200], data["dense_row200"])
    torch.testing.assert_close(dense.sum(dim=1), data["dense_rowsum"])
    assert (dense != 0).sum() == data["nnz"]
    walked = random_walk(data["cam"], stencil, radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(walked, data["rw"], rtol=0, atol=2e-5)
    torch.testing.assert_close(walked, dense_walk(data["cam"], stencil, 5, 8, 8), rtol=0, atol=5e-6)


def test_affinitynet_inference_as_released(golden: Golden) -> None:
    """From scores at image size to labels: docs/methods/affinitynet.md, "Random walk"."""
    data = tensors(golden, "psa_affinity_rw_12x14")
    stencil = pairs_to_stencil(data["aff"], (12, 14), 5)
    transition = transition_matrix(stencil, 5, 8).to_dense()
    torch.testing.assert_close(transition.T, data["T1"], rtol=1e-5, atol=1e-6)
    scores = with_background(torch.stack([data["cam_cls2"], data["cam_cls14"]]), 16)
    pooled = F.avg_pool2d(F.pad(scores, (0, 14 * 8 - 107, 0, 12 * 8 - 93)), 8)
    channels = [0, 3, 15]
    torch.testing.assert_close(pooled, data["cam_pooled"][channels], rtol=1e-5, atol=1e-6)
    walked = random_walk(pooled, stencil[0], radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(walked, data["cam_rw_low"][channels], rtol=0, atol=2e-5)
    labels = argmax_labels(resize_maps(walked, (96, 112)), channels)[:93, :107]
    assert torch.equal(labels, data["pred"])


def test_irnet_transition_as_released(golden: Golden) -> None:
    """IRNet lists its offsets by the length of their paths: in raster order its affinities are a stencil too."""
    data = tensors(golden, "irn_propagate")
    order = [tuple(offset) for offset in golden("irn_paths_r5_20x24")["dst"].tolist()]
    raster = [order.index(offset) for offset in pair_offsets(5)]
    stencil = pairs_to_stencil(data["aff_sparse"][:, raster], (16, 20), 5)
    torch.testing.assert_close(dense_affinity(stencil[0], 5)[150:160].float(), data["dense_rows"])
    transition = transition_matrix(stencil, 5, 10).to_dense().T
    torch.testing.assert_close(transition[150:160], data["T1_rows"], rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, st.integers(0, 9), st.sampled_from([1.0, 8.0, 10.0]))
def test_equals_dense_squaring(h: int, w: int, radius: int, seed: int, log2_steps: int, beta: float) -> None:
    scores, features = random_case(h, w, radius, seed)
    stencil = feature_affinity(features, radius)[0]
    walked = random_walk(scores, stencil, radius=radius, beta=beta, log2_steps=log2_steps)
    expected = dense_walk(scores, stencil, radius, beta, log2_steps)
    torch.testing.assert_close(walked, expected, rtol=0, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, st.integers(0, 9))
def test_keeps_mass_constants_and_range(h: int, w: int, radius: int, seed: int, log2_steps: int) -> None:
    scores, features = random_case(h, w, radius, seed)
    stencil = feature_affinity(features, radius)
    walked = random_walk(scores, stencil[0], radius=radius, beta=8, log2_steps=log2_steps)
    degree = neighbour_weights(stencil.double() ** 8, radius)[0].sum(dim=-1)
    torch.testing.assert_close((walked * degree).sum(dim=(1, 2)), (scores * degree).sum(dim=(1, 2)), rtol=1e-4, atol=0)
    assert (walked.amax(dim=(1, 2)) <= scores.amax(dim=(1, 2))).all()
    assert (walked.amin(dim=(1, 2)) >= scores.amin(dim=(1, 2))).all()
    constant = torch.full((1, h, w), 0.3)
    assert torch.equal(random_walk(constant, stencil[0], radius=radius, beta=8, log2_steps=8), constant)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, st.sampled_from([(-1,), (-2,), (-1, -2)]))
def test_commutes_with_flips(h: int, w: int, radius: int, seed: int, sides: tuple[int, ...]) -> None:
    scores, features = random_case(h, w, radius, seed)
    options = {"radius": radius, "beta": 8, "log2_steps": 5}
    walked = random_walk(scores, feature_affinity(features, radius)[0], **options)
    flipped = random_walk(scores.flip(sides), feature_affinity(features.flip(sides), radius)[0], **options)
    torch.testing.assert_close(flipped, walked.flip(sides), rtol=0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SIDES, SIDES, RADII, SEEDS, st.floats(-3, 3))
def test_is_linear_and_classes_do_not_touch(h: int, w: int, radius: int, seed: int, factor: float) -> None:
    scores, features = random_case(h, w, radius, seed)
    stencil, options = feature_affinity(features, radius)[0], {"radius": radius, "beta": 8, "log2_steps": 5}
    walked = random_walk(scores, stencil, **options)
    torch.testing.assert_close(random_walk(scores.flip(0), stencil, **options), walked.flip(0))
    mixed = random_walk(scores[:1] + factor * scores[1:], stencil, **options)
    torch.testing.assert_close(mixed, walked[:1] + factor * walked[1:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_thin_maps(size: tuple[int, int]) -> None:
    scores, features = random_case(*size, 5, 0)
    stencil = feature_affinity(features, 5)[0]
    walked = random_walk(scores, stencil, radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(walked, dense_walk(scores, stencil, 5, 8, 8), rtol=0, atol=1e-5)
    assert size != (1, 1) or torch.equal(walked, scores)


def test_batch_equals_one_by_one() -> None:
    scores = torch.rand(3, 2, 12, 14, generator=torch.Generator().manual_seed(0))
    features = torch.rand(3, 4, 12, 14, generator=torch.Generator().manual_seed(1))
    stencil = feature_affinity(features, 5, border="crop")
    batch = random_walk(scores, stencil, radius=5, beta=8, log2_steps=4)
    for result, *case in zip(batch, scores, stencil, strict=True):
        torch.testing.assert_close(result, random_walk(*case, radius=5, beta=8, log2_steps=4))


def test_scores_stay_within_walls() -> None:
    stencil = pair_mask((6, 9), 3).float()
    left = torch.arange(9) < 4
    for values, window in zip(stencil, pair_windows((6, 9), 3), strict=True):
        side = left.expand(6, 9)
        values[window.source] *= side[window.source] == side[window.target]
    scores = torch.zeros(1, 6, 9)
    scores[0, 2, 1] = 1
    walked = random_walk(scores, stencil, radius=3, beta=1, log2_steps=8)[0]
    assert not walked[:, ~left].any()
    assert walked[:, left].min() > 0.01


def test_no_classes() -> None:
    assert random_walk(torch.zeros(0, 4, 5), torch.zeros(4, 4, 5), radius=2, beta=8, log2_steps=3).shape == (0, 4, 5)


@pytest.mark.slow
def test_large_photo() -> None:
    """A photo of 2000 x 1500 at stride 4 (the dense matrix would take 140 GB), of 300 like rooms with closed doors."""
    scores, features = random_case(25, 25, 5, 0)
    stencil = feature_affinity(features, 5)[0]
    walked = random_walk(scores.repeat(1, 15, 20), stencil.repeat(1, 15, 20), radius=5, beta=8, log2_steps=8)
    assert walked.shape == (2, 375, 500)
    room = dense_walk(scores, stencil, 5, 8, 8)
    torch.testing.assert_close(walked, room.repeat(1, 15, 20), rtol=0, atol=1e-5)


def test_matrix_grows_with_the_pixels() -> None:
    """At most 69 entries a pixel at radius 5, in 32-bit indices and single precision."""
    matrix = transition_matrix(pair_mask((60, 80), 5)[None].float(), 5, 8)
    assert len(matrix.values()) <= 69 * 60 * 80
    assert matrix.col_indices().dtype == torch.int32
    assert matrix.values().dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    scores, features = random_case(47, 63, 5, 0)
    stencil = feature_affinity(features, 5)[0]
    here = random_walk(scores, stencil, radius=5, beta=8, log2_steps=8)
    there = random_walk(scores.cuda(), stencil.cuda(), radius=5, beta=8, log2_steps=8)
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-5)


@given(st.integers(1, 200), st.floats(-1, 1))
def test_power_weights_sum_to_the_power(power: int, x: float) -> None:
    angle = np.arccos(x)
    found = sum(weight * np.cos(k * angle) for k, weight in enumerate(power_weights(power)))
    assert found == pytest.approx(x**power, abs=2e-8)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_refuses_values_that_are_not_finite(value: float) -> None:
    scores, stencil = torch.zeros(1, 4, 5), torch.zeros(4, 4, 5)
    bad_scores, bad_stencil = scores.clone(), stencil.clone()
    bad_scores[0, 1, 1] = bad_stencil[0, 1, 1] = value
    with pytest.raises(ValueError, match="1 of 20 scores are NaN or infinite"):
        random_walk(bad_scores, stencil, radius=2, beta=8, log2_steps=1)
    with pytest.raises(ValueError, match="1 of 80 affinities are NaN or infinite"):
        random_walk(scores, bad_stencil, radius=2, beta=8, log2_steps=1)


def test_refuses_what_does_not_fit() -> None:
    scores, stencil = torch.zeros(1, 4, 5), torch.zeros(4, 4, 5)
    with pytest.raises(ValueError, match="different maps"):
        random_walk(scores[:, :3], stencil, radius=2, beta=8, log2_steps=1)
    with pytest.raises(ValueError, match="radius 5 has 34 offsets, got 4"):
        random_walk(scores, stencil, radius=5, beta=8, log2_steps=1)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        random_walk(scores, stencil, radius=2, beta=8, log2_steps=-1)


def test_a_numpy_array_is_refused_by_name():
    with pytest.raises(TypeError, match=r"scores is ndarray, not a tensor; torch\.from_numpy"):
        random_walk(np.zeros((2, 4, 5), np.float32), torch.zeros(34, 4, 5), radius=5, beta=8, log2_steps=2)  # type: ignore[arg-type]
