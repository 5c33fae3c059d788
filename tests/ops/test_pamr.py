from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from costs import LargestTensors
from weakseg.ops import pamr as module
from weakseg.ops.pamr import Kernel, colour_kernel, pamr, weighted_mean

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]
SIDES = st.integers(1, 9)
SEEDS = st.integers(0, 1000)
KERNELS: st.SearchStrategy[Kernel] = st.sampled_from(["exponential", "gaussian"])
DILATIONS = st.sampled_from([(1,), (1, 2), (2, 5, 24), (1, 2, 4, 8, 12, 24)])


def astronaut(golden: Golden) -> Tensor:
    return torch.from_numpy(golden("pamr")["image"]).permute(2, 0, 1)[None].float() / 255


def random_case(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two images (2, 3, h, w) and their maps (2, 4, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, height, width, generator=generator), torch.rand(2, 4, height, width, generator=generator)


def naive(
    image: np.ndarray[Any, Any], maps: np.ndarray[Any, Any], dilations: tuple[int, ...], kernel: str
) -> np.ndarray[Any, Any]:
    """One iteration on one image, pixel by pixel, as docs/methods/sipe.md words it; float64."""
    _, height, width = image.shape
    result = np.zeros_like(maps)
    steps = [(d * dy, d * dx) for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    for y in range(height):
        for x in range(width):
            near = [(min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)) for dy, dx in steps]
            colours = np.stack([image[:, b, a] for b, a in near], axis=1)
            centre = image[:, y, x, None]
            spread = np.concatenate([colours] + [centre] * len(dilations), axis=1).std(axis=1, ddof=1, keepdims=True)
            if kernel == "gaussian":
                weights = np.exp(-((colours - centre) ** 2 / (2 * (1e-8 + spread) ** 2)).mean(axis=0))
            else:
                weights = np.exp((-np.abs(colours - centre) / (1e-8 + 0.1 * spread)).mean(axis=0))
            result[:, y, x] = sum(w * maps[:, b, a] for w, (b, a) in zip(weights / weights.sum(), near, strict=True))
    return result


@pytest.mark.parametrize(
    ("name", "options"),
    [("out", {}), ("out_iter1", {"iterations": 1}), ("out_3_12", {"iterations": 3, "dilations": (1, 2)})],
)
def test_as_released(golden: Golden, name: str, options: dict[str, Any]) -> None:
    data = golden("pamr")
    refined = pamr(astronaut(golden), torch.from_numpy(data["mask"]), **options)
    torch.testing.assert_close(refined, torch.from_numpy(data[name]), rtol=1e-5, atol=1e-6)


def test_kernel_as_released(golden: Golden) -> None:
    patch = colour_kernel(astronaut(golden))[0, :, 30:34, 40:44]
    torch.testing.assert_close(patch, torch.from_numpy(golden("pamr")["kernel_patch"]), rtol=1e-5, atol=1e-6)


def test_deviation_as_released(golden: Golden) -> None:
    image, rows = astronaut(golden), slice(30, 34)
    others = module._neighbours(module._padded(image, module.DILATIONS), rows, module.DILATIONS)
    deviation = module._deviation(image[..., rows, :], others)[0, :, :, 40:44]
    torch.testing.assert_close(deviation, torch.from_numpy(golden("pamr")["std"]))


def test_constant_image_as_released(golden: Golden) -> None:
    data = golden("pamr")
    masks = torch.from_numpy(data["mask"])[..., :12, :12]
    refined = pamr(torch.full((1, 3, 12, 12), 0.3), masks, iterations=2, dilations=(1, 2))
    torch.testing.assert_close(refined, torch.from_numpy(data["const_out"]))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([(1,), (1, 3), (2, 24)]), KERNELS, SEEDS)
def test_equals_its_definition(h: int, w: int, dilations: tuple[int, ...], kernel: Kernel, seed: int) -> None:
    image, maps = random_case(h, w, seed)
    refined = pamr(image, maps, iterations=1, dilations=dilations, kernel=kernel)
    for found, one, scores in zip(refined, image.double().numpy(), maps.double().numpy(), strict=True):
        expected = torch.from_numpy(naive(one, scores, dilations, kernel)).float()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, DILATIONS, KERNELS, SEEDS)
def test_keeps_constants_and_range(h: int, w: int, dilations: tuple[int, ...], kernel: Kernel, seed: int) -> None:
    image, maps = random_case(h, w, seed)
    torch.testing.assert_close(colour_kernel(image, dilations, kernel).sum(dim=1), torch.ones(2, h, w))
    constant = torch.full((2, 1, h, w), 0.3)
    assert torch.equal(pamr(image, constant, dilations=dilations, kernel=kernel), constant)
    refined = pamr(image, maps, dilations=dilations, kernel=kernel)
    assert (refined.amax(dim=(2, 3)) <= maps.amax(dim=(2, 3))).all()
    assert (refined.amin(dim=(2, 3)) >= maps.amin(dim=(2, 3))).all()


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.sampled_from([0.0, 0.1, 1 / 3, 1.0]), st.integers(1, 3), KERNELS, SEEDS)
def test_smooths_uniformly_where_all_is_one_colour(
    h: int, w: int, colour: float, far: int, kernel: Kernel, seed: int
) -> None:
    _, maps = random_case(h, w, seed)
    image = torch.full((2, 3, h, w), colour)
    assert torch.equal(colour_kernel(image, (far,), kernel), torch.full((2, 8, h, w), 1 / 8))
    ring = torch.ones(1, 1, 3, 3) / 8
    ring[..., 1, 1] = 0
    padded = F.pad(maps.flatten(0, 1)[:, None], (far,) * 4, mode="replicate")
    expected = F.conv2d(padded, ring, dilation=far).view_as(maps)
    refined = pamr(image, maps, iterations=1, dilations=(far,), kernel=kernel)
    torch.testing.assert_close(refined, expected)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, DILATIONS, SEEDS, st.sampled_from([(-1,), (-2,), (-1, -2)]))
def test_commutes_with_flips(h: int, w: int, dilations: tuple[int, ...], seed: int, sides: tuple[int, ...]) -> None:
    image, maps = random_case(h, w, seed)
    flipped = pamr(image.flip(sides), maps.flip(sides), dilations=dilations)
    torch.testing.assert_close(flipped, pamr(image, maps, dilations=dilations).flip(sides), rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, SEEDS, st.permutations(range(4)))
def test_channels_and_images_do_not_touch(h: int, w: int, seed: int, order: list[int]) -> None:
    image, maps = random_case(h, w, seed)
    refined = pamr(image, maps)
    assert torch.equal(pamr(image, maps[:, order]), refined[:, order])
    torch.testing.assert_close(pamr(image[:1], maps[:1, :2]), refined[:1, :2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)])
def test_thin_images(size: tuple[int, int]) -> None:
    image, _ = random_case(*size, 0)
    maps = torch.rand(2, 3, 1, 1)
    torch.testing.assert_close(pamr(image, maps), maps.expand(2, 3, *size))
    maps = torch.rand(2, 3, *size)
    assert pamr(image, maps).isfinite().all()


def test_blocks_of_rows_change_rounding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    image, maps = random_case(30, 20, 0)
    whole = pamr(image, maps)
    monkeypatch.setattr(module, "_BLOCK", 700)
    torch.testing.assert_close(pamr(image, maps), whole, rtol=1e-4, atol=1e-6)


def test_respects_edges() -> None:
    """Evidence in one corner of a square fills the square, not what lies around it."""
    image = torch.zeros(1, 3, 40, 40)
    image[..., 10:30, 10:30] = 1
    maps = torch.zeros(1, 1, 40, 40)
    maps[..., 10:16, 10:16] = 1
    refined = pamr(image, maps)[0, 0]
    assert refined[28, 28] > 0.05
    assert refined[:, :9].max() < 1e-3


def test_within_training() -> None:
    """Half precision in, single precision out, and no gradient."""
    image = torch.rand(1, 3, 8, 9).bfloat16()
    maps = torch.rand(1, 2, 4, 5, requires_grad=True)
    refined = pamr(image, maps.bfloat16())
    assert refined.dtype == torch.float32
    assert refined.shape == (1, 2, 8, 9)
    assert not refined.requires_grad


def test_no_classes_and_no_iterations() -> None:
    image, maps = random_case(5, 6, 0)
    assert pamr(image, maps[:, :0]).shape == (2, 0, 5, 6)
    assert torch.equal(pamr(image, maps, iterations=0), maps)


def test_memory_does_not_hold_the_neighbours_of_the_scores() -> None:
    """Of 64 channels, no 48-fold copy is made: the largest tensor of one iteration is the padded scores."""
    maps, kernel = torch.rand(1, 64, 64, 64), torch.full((1, 48, 64, 64), 1 / 48)
    with LargestTensors() as largest:
        weighted_mean(maps, kernel)
    assert largest.bytes == 4 * 64 * (64 + 48) ** 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    image, maps = random_case(60, 80, 0)
    torch.testing.assert_close(pamr(image.cuda(), maps.cuda()).cpu(), pamr(image, maps), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_refuses_values_that_are_not_finite(value: float) -> None:
    image, maps = random_case(2, 5, 0)
    bad_image, bad_maps = image.clone(), maps.clone()
    bad_image[0, 1, 1, 1] = bad_maps[1, 1, 1, 1] = value
    with pytest.raises(ValueError, match="1 of 60 image values are NaN or infinite"):
        pamr(bad_image, maps)
    with pytest.raises(ValueError, match="1 of 80 mask scores are NaN or infinite"):
        pamr(image, bad_maps)


def test_refuses_what_does_not_fit() -> None:
    image, maps = random_case(4, 5, 0)
    with pytest.raises(ValueError, match=r"images \(N, 3, H, W\).* got \(1, 3, 4, 5\) and \(2, 4, 4, 5\)"):
        pamr(image[:1], maps)
    with pytest.raises(ValueError, match="got"):
        pamr(image[0], maps[0])
    with pytest.raises(ValueError, match="at least 0, got -1"):
        pamr(image, maps, iterations=-1)
    for dilations in ((), (1, 0)):
        with pytest.raises(ValueError, match="dilations are one or more"):
            pamr(image, maps, dilations=dilations)
    with pytest.raises(ValueError, match="unknown kernel 'box'; available: exponential, gaussian"):
        pamr(image, maps, kernel="box")  # type: ignore[arg-type]


def test_a_numpy_array_is_refused_by_name():
    with pytest.raises(TypeError, match=r"masks is ndarray, not a tensor; torch\.from_numpy"):
        pamr(torch.zeros(1, 3, 4, 5), np.zeros((1, 2, 4, 5), np.float32))  # type: ignore[arg-type]
