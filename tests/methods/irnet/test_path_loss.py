from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from costs import LargestTensors, processor_seconds
from weakseg.methods.affinitynet.affinity import affinity_loss, pair_labels, pair_mask
from weakseg.methods.irnet import path_loss as module
from weakseg.methods.irnet.path_loss import PathLoss, path_loss
from weakseg.methods.irnet.paths import path_affinity, search_paths
from weakseg.ops.pairs import pair_offsets, pair_windows

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def case(height: int, width: int, seed: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Boundary, displacement (both with gradient) and labels."""
    generator = torch.Generator().manual_seed(seed)
    boundary = torch.rand(batch, height, width, generator=generator) * 0.98 + 0.01
    displacement = torch.randn(batch, 2, height, width, generator=generator) * 3
    table = torch.tensor([0, 0, 3, 7, 255], dtype=torch.uint8)
    labels = table[torch.randint(0, 5, (batch, height, width), generator=generator)]
    return boundary.requires_grad_(), displacement.requires_grad_(), labels


def naive(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int) -> PathLoss:
    """The loss from all affinities and all differences, differentiable by autograd."""
    pairs = pair_labels(labels, radius, border="crop")
    loss = affinity_loss(path_affinity(boundary, radius, "crop"), pairs)
    still = moving = torch.zeros(())
    windows = pair_windows((labels.shape[1], labels.shape[2]), radius, "crop")
    for k, (offset, window) in enumerate(zip(pair_offsets(radius), windows, strict=True)):
        difference = displacement[..., *window.source] - displacement[..., *window.target]
        wanted = torch.tensor(offset).view(2, 1, 1)
        still = still + (difference.abs() * pairs.background[:, None, k, *window.source]).sum()
        moving = moving + ((difference - wanted).abs() * pairs.foreground[:, None, k, *window.source]).sum()
    still = still / (2 * pairs.background.sum() + 1e-5)
    moving = moving / (2 * pairs.foreground.sum() + 1e-5)
    return PathLoss(*loss[1:], still, moving)


@pytest.mark.parametrize("way", ["_terms_cpu", "terms"])
def test_loss_as_released(golden: Golden, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_terms_cpu", getattr(module, way))
    data = tensors(golden, "irn_loss")
    logits, displacement = data["edge_logits"].requires_grad_(), data["dp"].requires_grad_()
    loss = path_loss(torch.sigmoid(logits)[:, 0], displacement, data["labels"], 4)
    expected = ["bg_pos_aff", "fg_pos_aff", "neg_aff", "dp_bg", "dp_fg"]
    for found, name in zip(loss, expected, strict=True):
        torch.testing.assert_close(found.detach(), data[name], rtol=1e-5, atol=1e-6)
    cut = ((loss.background + loss.foreground) / 2 + loss.different) / 2
    (cut + (loss.displacement_background + loss.displacement_foreground) / 2).backward()
    torch.testing.assert_close(logits.grad, data["grad_edge"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(displacement.grad, data["grad_dp"], rtol=1e-5, atol=1e-6)


def test_kinds_of_pairs_as_released(golden: Golden) -> None:
    data = golden("irn_affinity_label")
    labels = torch.from_numpy(data["label"])[None]
    boundary, displacement = torch.zeros(labels.shape), torch.zeros(1, 2, *labels.shape[1:])
    found = module._terms_cpu(boundary, displacement, labels, 10, "crop")
    np.testing.assert_array_equal(found.counts, data["counts"])


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 8), st.integers(7, 10), st.integers(2, 4), st.integers(0, 1000), st.booleans())
def test_loss_and_gradients_by_definition(height: int, width: int, radius: int, seed: int, loops: bool) -> None:
    boundary, displacement, labels = case(height, width, seed)
    with pytest.MonkeyPatch.context() as patch:
        if not loops:
            patch.setattr(module, "_terms_cpu", module.terms)
        found = path_loss(boundary, displacement, labels, radius)
    expected = naive(boundary, displacement, labels, radius)
    weights = torch.tensor([0.3, 1.0, 2.0, 0.7, 0.1])
    for term, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(term, wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad((torch.stack(found) * weights).sum(), (boundary, displacement)),
        torch.autograd.grad((torch.stack(expected) * weights).sum(), (boundary, displacement)),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("border", ["all", "crop"])
def test_loops_equal_tensor_operations(border: str) -> None:
    maps = [tensor.detach() for tensor in case(12, 21, 1, batch=3)]
    for found, expected in zip(module._terms_cpu(*maps, 6, border), module.terms(*maps, 6, border), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_threads_change_nothing() -> None:
    maps = [tensor.detach() for tensor in case(12, 21, 1, batch=5)]
    alone = module._terms_cpu(*maps, 6, "crop")
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together = module._terms_cpu(*maps, 6, "crop")
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(first, second) for first, second in zip(alone, together, strict=True))


def training_step(maps: tuple[Tensor, Tensor, Tensor], radius: int) -> Callable[[], None]:
    def step() -> None:
        torch.stack(path_loss(*maps, radius)).sum().backward()

    return step


@pytest.mark.parametrize("way", ["_terms_cpu", "terms"])
def test_memory_is_that_of_a_few_maps(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """152 offsets of 14 path points on average: on a GPU a path's points lie side by side, for one offset at a time."""
    monkeypatch.setattr(module, "_terms_cpu", getattr(module, way))
    maps = case(32, 40, 0)
    step = training_step(maps, 10)
    with LargestTensors() as largest:
        step()
    one_map, points = 2 * 32 * 40, max(map(len, search_paths(10)))
    assert largest.bytes <= 4 * one_map * (4 if way == "_terms_cpu" else points)
    assert largest.indices <= 3 * one_map


def test_time_grows_no_faster_than_the_pairs() -> None:
    boundary, displacement, labels = case(48, 48, 0)
    maps = boundary, displacement, labels[:, ::4, ::4].repeat_interleave(4, 1).repeat_interleave(4, 2).contiguous()
    near, far = processor_seconds([training_step(maps, radius) for radius in (5, 10)])
    pairs = [pair_mask((48, 48), radius, "crop").sum().item() for radius in (5, 10)]
    assert far / near <= 1.5 * pairs[1] / pairs[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    maps = [tensor.detach() for tensor in case(30, 40, 1)]
    there = module.terms(*(tensor.cuda() for tensor in maps), 10, "crop")
    for found, expected in zip(there, module._terms_cpu(*maps, 10, "crop"), strict=True):
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-3)


def test_nothing_labelled_is_no_loss() -> None:
    boundary, displacement, labels = case(8, 9, 0)
    loss = path_loss(boundary, displacement, torch.full_like(labels, 255), 3)
    assert not torch.stack(loss).any()
    torch.stack(loss).sum().backward()
    assert boundary.grad is not None
    assert not boundary.grad.any()


def test_half_precision_and_nan_stay() -> None:
    boundary, displacement, labels = case(8, 9, 0)
    low = boundary.detach().bfloat16().requires_grad_()
    torch.stack(path_loss(low, displacement, labels, 3)).sum().backward()
    assert low.grad is not None
    assert low.grad.dtype == torch.bfloat16
    assert path_loss(boundary * torch.nan, displacement, labels, 3).background.isnan()


def test_maps_that_do_not_fit_are_refused() -> None:
    boundary, displacement, labels = case(8, 9, 0)
    with pytest.raises(ValueError, match=r"not \(2, 8, 9\), \(2, 2, 8, 9\), \(2, 7, 9\)"):
        path_loss(boundary, displacement, labels[:, 1:], 3)
    with pytest.raises(ValueError, match=r"8 x 9 has no pairs of radius 9"):
        path_loss(boundary, displacement, labels, 9)
