from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weakseg.methods.irnet.boundary_walk import full_size_scores, walk_within
from weakseg.methods.irnet.paths import path_affinity, search_paths
from weakseg.ops.maps import threshold_labels
from weakseg.ops.pairs import Border, pair_offsets, pair_windows, stencil_to_pairs

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def naive(boundary: Tensor, radius: int, border: Border) -> Tensor:
    """Every pair by its definition, differentiable by autograd."""
    height, width = boundary.shape[1:]
    result = torch.zeros(len(boundary), len(pair_offsets(radius)), height, width)
    windows = pair_windows((height, width), radius, border)
    for k, ((dy, dx), window) in enumerate(zip(pair_offsets(radius), windows, strict=True)):
        for y in range(window.source[0].start, window.source[0].stop):
            for x in range(window.source[1].start, window.source[1].stop):
                between = [
                    boundary[:, y + py, x + px]
                    for py in range(dy + 1)
                    for px in range(min(dx, 0), max(dx, 0) + 1)
                    if abs(dy * px - dx * py) / np.hypot(dy, dx) < 1 - 1e-9
                ]
                result[:, k, y, x] = 1 - torch.stack(between).amax(dim=0)
    return result


@pytest.mark.parametrize(("name", "radius"), [("irn_paths_r5_20x24", 5), ("irn_paths_r10_40x44", 10)])
def test_paths_as_released(golden: Golden, name: str, radius: int) -> None:
    data = golden(name)
    expected = {}
    for group in range(len(data["group_sizes"])):
        for path in data[f"paths{group}"].tolist():
            expected[tuple(path[0])] = sorted(map(tuple, path))
    assert expected == dict(zip(pair_offsets(radius), map(list, search_paths(radius)), strict=True))
    lengths = sorted(map(len, search_paths(radius)))
    assert lengths == sorted(np.repeat(data["group_sizes"][:, 1], data["group_sizes"][:, 0]))


def test_pairs_of_a_training_map(golden: Golden) -> None:
    data = golden("irn_paths_r10_40x44")
    rows, columns = pair_windows((128, 128), 10, "crop")[0].source
    sources = (rows.stop - rows.start) * (columns.stop - columns.start)
    assert sources == data["n_src_128"]
    assert len(search_paths(10)) == data["n_dst_128"]


def test_affinities_as_released(golden: Golden) -> None:
    data = tensors(golden, "irn_propagate")
    order = [tuple(offset) for offset in golden("irn_paths_r5_20x24")["dst"].tolist()]
    raster = [order.index(offset) for offset in pair_offsets(5)]
    pairs = stencil_to_pairs(path_affinity(data["edge"], 5, "crop"), 5)
    assert torch.equal(pairs, data["aff_sparse"][:, raster])


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(2, 4), st.booleans(), st.integers(0, 1000))
def test_affinity_and_gradient_by_definition(h: int, w: int, radius: int, crop: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    border: Border = "crop" if crop and h >= radius and w >= 2 * radius - 1 else "all"
    boundary = torch.rand(2, h, w, generator=generator, requires_grad=True)
    weights = torch.rand(2, len(pair_offsets(radius)), h, w, generator=generator)
    expected, found = naive(boundary, radius, border), path_affinity(boundary, radius, border)
    assert torch.equal(found, expected)
    if expected.requires_grad:
        torch.testing.assert_close(
            torch.autograd.grad((found * weights).sum(), boundary),
            torch.autograd.grad((expected * weights).sum(), boundary),
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu() -> None:
    here = torch.rand(2, 24, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    there = here.detach().cuda().requires_grad_()
    first, second = path_affinity(here, 5), path_affinity(there, 5)
    first.square().sum().backward()
    second.square().sum().backward()
    assert torch.equal(second.cpu(), first)
    torch.testing.assert_close(there.grad.cpu(), here.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "log2_steps"), [("rw", 8), ("rw_exp3", 3), ("rw_exp0", 0)])
def test_walk_as_released(golden: Golden, name: str, log2_steps: int) -> None:
    data = tensors(golden, "irn_propagate")
    walked = walk_within(data["x"], data["edge"][0], log2_steps=log2_steps)
    torch.testing.assert_close(walked, data[name][:, 0], rtol=0, atol=5e-5)


def test_semantic_labels_as_released(golden: Golden) -> None:
    data = tensors(golden, "irn_sem_seg")
    scores = full_size_scores(walk_within(data["cam"], data["edge"][0]), (61, 78))
    torch.testing.assert_close(scores, data["rw_up"], rtol=0, atol=1e-4)
    assert torch.equal(threshold_labels(scores, (4, 9), 0.25), data["rw_pred"])


def test_evidence_stays_on_its_side_of_a_boundary() -> None:
    boundary = torch.zeros(8, 15)
    boundary[:, 7] = 1
    scores = torch.zeros(1, 8, 15)
    scores[0, 3, 2] = 1
    walked = walk_within(scores, boundary)[0]
    assert not walked[:, 7:].any()
    assert walked[:, :7].min() > 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_thin_maps(size: tuple[int, int]) -> None:
    walked = walk_within(torch.ones(1, *size), torch.zeros(size))
    torch.testing.assert_close(walked, torch.ones(1, *size))
    assert full_size_scores(walked, (size[0] * 4 - 3, size[1] * 4 - 3)).max() == 1


def test_no_classes_and_no_evidence() -> None:
    assert full_size_scores(walk_within(torch.zeros(0, 4, 5), torch.zeros(4, 5)), (16, 17)).shape == (0, 16, 17)
    assert not full_size_scores(torch.zeros(2, 4, 5), (16, 17)).any()
