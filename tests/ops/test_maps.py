from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakseg.ops import maps

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def tensors(golden: Golden, name: str) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


def test_strided_size_as_released(golden: Golden) -> None:
    data = golden("irn_imutils")
    for size, expected in zip(data["sizes"], data["strided4"], strict=True):
        assert maps.strided_size((int(size[0]), int(size[1])), 4) == tuple(expected)


@given(st.integers(1, 3000), st.integers(1, 64))
def test_strided_size_is_the_ceiling(side: int, stride: int) -> None:
    rows, columns = maps.strided_size((side, 1), stride)
    assert (rows - 1) * stride < side <= rows * stride
    assert columns == 1


@pytest.mark.parametrize(("size", "stride"), [((0, 5), 4), ((5, 5), 0)])
def test_strided_size_refuses(size: tuple[int, int], stride: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        maps.strided_size(size, stride)


def test_psa_merge(golden: Golden) -> None:
    data = tensors(golden, "psa_cam_merge")
    merged = maps.max_normalise(maps.sum_scales(data["cams"], (15, 20))) * data["label"][:, None, None]
    torch.testing.assert_close(merged, data["norm_cam"], rtol=1e-5, atol=1e-6)


def test_irn_merge(golden: Golden) -> None:
    data = tensors(golden, "irn_cam_merge")
    present = [data[f"out{scale}"][data["label"] > 0] for scale in range(4)]
    size = (61, 83)
    strided = maps.max_normalise(maps.sum_scales(present, maps.strided_size(size, 4)))
    torch.testing.assert_close(strided, data["strided_cam"], rtol=1e-5, atol=1e-6)
    up = tuple(16 * side for side in maps.strided_size(size, 16))
    assert up == tuple(data["strided_up_size"].tolist())
    full = maps.max_normalise(maps.sum_scales(present, (up[0], up[1]))[:, : size[0], : size[1]])
    torch.testing.assert_close(full, data["highres_cam"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "size"), [("strided_cam", (16, 21)), ("high_res", (61, 83))])
def test_vwe_merge(name: str, size: tuple[int, int], golden: Golden) -> None:
    data = tensors(golden, "vwe_cam_merge")
    views = [data[f"cam{scale}"] for scale in range(4)]
    best = [torch.maximum(view[0], view[1].flip(-1))[data["label"][0] > 0] for view in views]
    merged = maps.max_normalise(maps.sum_scales(best, size))
    torch.testing.assert_close(merged, data[name], rtol=1e-5, atol=1e-6)


def test_sipe_merge(golden: Golden) -> None:
    data = tensors(golden, "sipe_cam_merge")
    merged = maps.max_normalise(maps.sum_scales([data[f"out{scale}"] for scale in range(4)], (61, 83)))
    torch.testing.assert_close(merged, data["IS_CAM"], rtol=1e-5, atol=1e-6)


def test_seam_merge(golden: Golden) -> None:
    data = tensors(golden, "seam_cam_merge")
    merged = maps.min_max_normalise(maps.sum_scales(data["cams"], (15, 20)))
    present = data["label"] > 0
    expected = data["norm_cam"][present]
    torch.testing.assert_close(merged[present], expected.clamp(min=0), rtol=1e-5, atol=1e-6)
    assert expected.min() > -1e-5  # the clip takes back rounding only


def test_min_max_of_channels_without_evidence() -> None:
    flat = torch.tensor([[[-1.0, -2.0]], [[0.0, 0.0]], [[3.0, 3.0]]])
    assert torch.equal(maps.min_max_normalise(flat), torch.zeros_like(flat))


def test_sum_scales_needs_a_scale() -> None:
    with pytest.raises(ValueError, match="at least one scale"):
        maps.sum_scales([], (2, 2))


def test_resize_keeps_a_map_of_the_same_size() -> None:
    scores = torch.rand(2, 5, 7)
    assert torch.equal(maps.resize_maps(scores, (5, 7)), scores)
    assert maps.resize_maps(scores[:0], (3, 4)).shape == (0, 3, 4)


@pytest.mark.parametrize(("power", "crossing"), [(4, 0.276), (6, 0.222), (16, 0.123), (24, 0.094), (32, 0.077)])
def test_power_equals_a_threshold(power: float, crossing: float) -> None:
    scores = torch.tensor([[[crossing - 1e-3, crossing + 1e-3]]])
    assert maps.argmax_labels(maps.with_background(scores, power), [0, 3]).tolist() == [[0, 3]]


def test_background_of_an_untagged_image() -> None:
    scores = torch.zeros(0, 2, 3)
    assert torch.equal(maps.with_background(scores, 4), torch.ones(1, 2, 3))
    assert torch.equal(maps.threshold_labels(scores, [], 0.2), torch.zeros(2, 3, dtype=torch.uint8))


def test_background_power_is_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        maps.background_power(torch.zeros(1, 2, 2), 0)


def test_threshold_labels() -> None:
    scores = torch.tensor([[[0.2, 0.9, 0.3, 0.5]], [[0.1, 0.1, 0.4, 0.5]]])
    assert maps.threshold_labels(scores, [2, 7], 0.2).tolist() == [[0, 2, 7, 2]]


def test_labels_match_channels() -> None:
    with pytest.raises(ValueError, match="2 labels for 3 channels"):
        maps.argmax_labels(torch.zeros(3, 2, 2), [0, 1])
    with pytest.raises(ValueError, match="0 labels for 0 channels"):
        maps.argmax_labels(torch.zeros(0, 2, 2), [])
