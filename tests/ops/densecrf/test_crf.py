from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weakseg.ops.densecrf.crf import (
    PRESETS,
    Method,
    _kernels,
    dense_crf,
    unary_from_labels,
    unary_from_scores,
)
from weakseg.ops.densecrf.meanfield import lattice_messages, mean_field
from weakseg.ops.densecrf.workers import Workers

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]

PSA = PRESETS["psa"]
# In ten iterations the last bits of what comes in can grow to the third digit of what comes out.
FEW = replace(PSA, iterations=3)
# Golden key -> what the unary is made of, parameters.
CASES = {
    "psa_t10_scores": ("scores", PSA),
    "psa_t10_probs": ("probs", PSA),
    "psa_t1_probs": ("probs", PRESETS["seam-rw"]),
    "psa_t10_scale12": ("probs", PSA.scaled(12)),
    "cpn_t5": ("probs", PRESETS["cpn"]),
    "irn_label_q": ("labels", PRESETS["irn"]),
    "kazuto_10_3_1_4_67_3": ("probs", PRESETS["deeplabv2"]),
    "vwl_10_3_1_4_64_3": ("probs", PRESETS["vwl"]),
    "afa_10_3_3_4_64_5": ("probs", PRESETS["afa"]),
    "ywseg_t1_sxy32": ("probs", PRESETS["deeplabv1"]),
    "dbg_unary_t0": ("probs", replace(PSA, iterations=0)),
    "dbg_gauss_t1": ("probs", replace(PSA, iterations=1, bilateral_weight=0)),
    "dbg_bilat_t1": ("probs", replace(PSA, iterations=1, gaussian_weight=0)),
    "dbg_bilat_t5": ("probs", replace(PSA, iterations=5, gaussian_weight=0)),
}
METHODS = get_args(Method)
FLIPS = st.sampled_from([(1,), (2,), (1, 2)])


def unary_of(data: dict[str, np.ndarray[Any, Any]], source: str) -> Tensor:
    values = torch.from_numpy(data[source])
    return unary_from_labels(values, 3) if source == "labels" else unary_from_scores(values)


def agreement(first: Tensor, second: Tensor) -> float:
    return (first.argmax(-3) == second.argmax(-3)).double().mean().item()


def random_case(seed: int, labels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture of two noisy areas and random energies."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 60, (height, width, 3), generator=generator)
    image[:, width // 2 :] += 120
    return image.to(torch.uint8), 2 * torch.rand(labels, height, width, generator=generator)


@pytest.mark.parametrize("case", CASES)
def test_lattice_as_pydensecrf(golden: Golden, case: str) -> None:
    data = golden("densecrf")
    source, params = CASES[case]
    posterior = dense_crf(data["img"], unary_of(data, source), params)
    np.testing.assert_allclose(posterior, data[case], atol=2e-3)
    assert agreement(posterior, torch.from_numpy(data[case])) >= 0.999


@pytest.mark.slow
def test_exact_agrees_with_pydensecrf(golden: Golden) -> None:
    data = golden("densecrf")
    found = {}
    for case, (source, params) in CASES.items():
        posterior = dense_crf(data["img"], unary_of(data, source), params, method="exact")
        found[case] = agreement(posterior, torch.from_numpy(data[case]))
    assert min(found.values()) >= 0.98, found
    assert np.mean(list(found.values())) >= 0.995, found


def test_irn_labels(golden: Golden) -> None:
    data = golden("densecrf")
    posterior = dense_crf(data["img"], unary_of(data, "labels"), PRESETS["irn"])
    np.testing.assert_array_equal(posterior.argmax(0), data["irn_label_t10"])


@pytest.mark.parametrize(
    ("inputs", "expected", "key", "background", "scale"),
    [
        ("irn_ir_label", "irn_ir_label", "fg_conf", 0.3, 1),
        ("irn_ir_label", "irn_ir_label", "bg_conf", 0.05, 1),
        ("sipe_cam2ir", "sipe_cam2ir", "fg_conf", None, 1),
        ("sipe_cam2ir", "sipe_cam2ir", "bg_conf", None, 0.5),
        ("sipe_cam2ir", "ae_sipe_cam2ir", "bg_conf", None, 0.8),
    ],
)
def test_maps_to_labels(
    golden: Golden, inputs: str, expected: str, key: str, background: float | None, scale: float
) -> None:
    """IR labels: IRNet's background is a threshold, SIPE's a channel, scaled for the confident background."""
    data = golden(inputs)
    maps = torch.from_numpy(data["cams"])
    if background is not None:
        maps = torch.cat([torch.full_like(maps[:1], background), maps])
    maps[0] *= scale
    unary = unary_from_labels(maps.argmax(0), len(data["keys"]))
    refined = data["keys"][dense_crf(data["img"], unary, PRESETS["irn"]).argmax(0)]
    assert (refined == golden(expected)[key]).mean() >= 0.999


def test_torch_lattice_is_the_compiled_one(golden: Golden) -> None:
    """What runs on a GPU, here on the CPU, for a batch of two."""
    data = golden("densecrf")
    images = np.stack([data["img"], data["img"][::-1]])
    energies = unary_of(data, "probs")
    unary = torch.stack([energies, energies.flip(2)])
    with Workers(1) as workers:
        kernels = [_kernels(image, PSA, workers) for image in images]
    posterior = mean_field(unary, lattice_messages(kernels, torch.device("cpu")), PSA.iterations)
    torch.testing.assert_close(posterior, dense_crf(images, unary, PSA), atol=2e-3, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", METHODS)
def test_gpu(golden: Golden, method: Method) -> None:
    data = golden("densecrf")
    unary = unary_of(data, "probs")[None].expand(2, -1, -1, -1)
    images = np.stack([data["img"]] * 2)
    posterior = dense_crf(images, unary.cuda(), PSA, method=method)
    assert posterior.is_cuda
    torch.testing.assert_close(posterior.cpu(), dense_crf(images, unary, PSA, method=method), atol=5e-3, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    labels=st.integers(1, 9),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    method=st.sampled_from(METHODS),
)
def test_posteriors_and_permuted_labels(seed: int, labels: int, height: int, width: int, method: Method) -> None:
    image, unary = random_case(seed, labels, height, width)
    posterior = dense_crf(image, unary, FEW, method=method)
    assert posterior.shape == unary.shape
    assert posterior.dtype == torch.float32
    torch.testing.assert_close(posterior.sum(0), torch.ones(height, width))
    order = torch.randperm(labels, generator=torch.Generator().manual_seed(seed))
    permuted = dense_crf(image, unary[order], FEW, method=method)
    torch.testing.assert_close(permuted, posterior[order], atol=1e-4, rtol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(1, 12), width=st.integers(1, 12), sides=FLIPS)
def test_exact_commutes_with_flips(seed: int, height: int, width: int, sides: tuple[int, ...]) -> None:
    image, unary = random_case(seed, 3, height, width)
    posterior = dense_crf(image, unary, FEW, method="exact")
    flipped = dense_crf(image.flip([side - 1 for side in sides]), unary.flip(sides), FEW, method="exact")
    torch.testing.assert_close(flipped.flip(sides), posterior, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sides", [(1,), (2,), (1, 2)])
def test_lattice_labels_commute_with_flips(golden: Golden, sides: tuple[int, ...]) -> None:
    """Only nearly: a lattice lies otherwise under a flipped image."""
    data = golden("densecrf")
    unary, image = unary_of(data, "probs"), torch.from_numpy(data["img"])
    flipped = dense_crf(image.flip([side - 1 for side in sides]), unary.flip(sides), PSA)
    assert agreement(flipped.flip(sides), dense_crf(image, unary, PSA)) >= 0.99


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 255), st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12))
def test_smooths_alone_where_all_is_one_colour(grey: int, seed: int, height: int, width: int) -> None:
    """Without colours to follow a step adds two Gaussian blurs of the posteriors to the evidence."""
    _, unary = random_case(seed, 3, height, width)
    image = np.full((height, width, 3), grey, np.uint8)
    start = np.exp(-unary.double().numpy())
    start /= start.sum(axis=0)
    messages = 3 * blurred(start, 3) + 10 * blurred(start, 80)
    expected = torch.softmax(torch.from_numpy(messages) - unary, 0).float()
    once = replace(PSA, iterations=1)
    torch.testing.assert_close(dense_crf(image, unary, once, method="exact"), expected, atol=1e-4, rtol=0)
    dark = np.zeros_like(image)
    torch.testing.assert_close(dense_crf(image, unary, PSA), dense_crf(dark, unary, PSA), atol=1e-3, rtol=0)


def blurred(maps: np.ndarray[Any, Any], sxy: float) -> np.ndarray[Any, Any]:
    """D^-½ K D^-½ of maps (K, H, W) with the Gaussian kernel of position, float64."""
    _, height, width = maps.shape
    y, x = np.indices((height, width)).reshape(2, -1)
    kernel = np.exp(-((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2) / (2 * sxy**2))
    norm = kernel.sum(axis=1) ** -0.5
    return (maps.reshape(len(maps), -1) @ (norm[:, None] * kernel * norm)).reshape(maps.shape)


@settings(max_examples=15, deadline=None)
@given(
    grey=st.integers(0, 255),
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=6, unique_by=lambda score: round(score, 2)),
    method=st.sampled_from(METHODS),
)
def test_constant_maps_keep_their_label(grey: int, scores: list[float], method: Method) -> None:
    image = np.full((9, 11, 3), grey, np.uint8)
    maps = torch.tensor(scores)[:, None, None].expand(-1, 9, 11)
    posterior = dense_crf(image, unary_from_scores(maps), PSA, method=method)
    assert (posterior.argmax(0) == int(np.argmax(scores))).all()


@pytest.mark.parametrize("method", METHODS)
def test_labels_follow_the_colours(method: Method) -> None:
    """Noisy scores that lean to the left or the right half of a two-coloured image end at its edge."""
    image, _ = random_case(0, 2, 24, 32)
    right = (torch.arange(32) >= 16).expand(24, 32)
    noise = torch.rand(24, 32, generator=torch.Generator().manual_seed(1))
    score = torch.where(right, 0.6, 0.4) + 0.6 * (noise - 0.5)
    unary = unary_from_scores(torch.stack([1 - score, score]))
    assert ((unary.argmin(0) == 1) == right).double().mean() < 0.9
    labels = dense_crf(image, unary, PSA, method=method).argmax(0)
    assert ((labels == 1) == right).all()


@pytest.mark.parametrize("method", METHODS)
def test_batch_is_image_by_image(method: Method) -> None:
    cases = [random_case(seed, 5, 13, 17) for seed in range(3)]
    images, unaries = (torch.stack(list(part)) for part in zip(*cases, strict=True))
    batch = dense_crf(images, unaries, PSA, method=method)
    single = torch.stack([dense_crf(image, unary, PSA, method=method) for image, unary in cases])
    torch.testing.assert_close(batch, single, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("labels", "side"), [(3, 130), (9, 130), (3, 100), (3, 60)])
def test_threads_change_nothing(labels: int, side: int) -> None:
    """Four, two threads or one work on an image of these sizes, so that one, two or three images have their turn."""
    image, unary = random_case(3, labels, side, side)
    one = dense_crf(image, unary, PSA)
    threads = torch.get_num_threads()
    try:
        for number in (2, 4):
            torch.set_num_threads(number)
            assert torch.equal(dense_crf(image, unary, PSA), one)
            three = dense_crf(torch.stack([image] * 3), torch.stack([unary] * 3), PSA)
            assert torch.equal(three, one.expand(3, -1, -1, -1))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("labels", [1, 2])
def test_thin_images_and_few_labels(size: tuple[int, int], labels: int, method: Method) -> None:
    image, unary = random_case(0, labels, *size)
    posterior = dense_crf(image, unary, PSA, method=method)
    assert torch.isfinite(posterior).all()
    if labels == 1:
        torch.testing.assert_close(posterior, torch.ones_like(posterior))


def test_large_energies_stay_finite() -> None:
    image, unary = random_case(0, 3, 10, 10)
    posterior = dense_crf(image, 1e6 * (unary - 1), replace(PSA, gaussian_weight=1e4))
    assert torch.isfinite(posterior).all()


def test_inputs_are_left_alone() -> None:
    image, unary = random_case(0, 3, 6, 7)
    before = image.clone(), unary.clone()
    dense_crf(image, unary.requires_grad_(), PSA)
    assert torch.equal(image, before[0])
    assert torch.equal(unary, before[1])


def test_a_numpy_array_is_refused_by_name():
    with pytest.raises(TypeError, match=r"unary is ndarray, not a tensor; torch\.from_numpy"):
        dense_crf(np.zeros((4, 5, 3), np.uint8), np.zeros((2, 4, 5), np.float32), PSA)  # type: ignore[arg-type]
