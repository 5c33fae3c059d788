from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from weakseg.methods.seam import correlation
from weakseg.methods.seam.consistency import resized

Golden = Callable[[str], dict[str, NDArray[Any]]]


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


@pytest.mark.parametrize(("given", "expected"), [("cam", "out"), ("cam_small", "out_small")])
def test_pixel_correlation_is_that_of_seam(given: str, expected: str, golden: Golden) -> None:
    data = tensors(golden, "seam_pcm")
    features = F.conv2d(data["f"], data["f9"])
    evidence = resized(data[given], features.shape[2:])
    torch.testing.assert_close(correlation.pixel_correlation(evidence, features), data[expected], rtol=1e-5, atol=1e-6)


def test_correlation_with_pixels_and_regions_is_that_of_cpn(golden: Golden) -> None:
    data = tensors(golden, "cpn_forward")
    evidence, features = data["cam_in"], data["f"]
    pixels = F.conv2d(features, data["f9__weight"])
    contexts = correlation.region_contexts(evidence, features)
    keys = F.relu(F.conv2d(contexts[..., None], data["f10__weight"]))
    mixed = keys.reshape(2, 21, 9)  # not transposed: see Context in pcm.py
    torch.testing.assert_close(contexts, data["gather"][..., 0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(correlation.region_attention(mixed, F.relu(pixels)), data["prcm"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(correlation.pixel_correlation(evidence, pixels), data["pcm"], rtol=1e-5, atol=1e-6)


def test_evidence_is_of_the_strongest_class_and_the_rest_is_background() -> None:
    maps = torch.randn(2, 5, 6, 7, requires_grad=True)
    evidence = correlation.strongest_evidence(maps)
    classes = evidence[:, 1:]
    assert not evidence.requires_grad
    assert 0 <= evidence.min() <= evidence.max() <= 1
    assert ((classes > 0).sum(dim=1) <= 1).all()
    torch.testing.assert_close(evidence[:, 0], 1 - classes.amax(dim=1))
    louder = maps.detach() * torch.tensor([1.0, 10, 10, 10, 10])[:, None, None]
    torch.testing.assert_close(correlation.strongest_evidence(louder), evidence, rtol=1e-3, atol=1e-3)


def test_no_positive_evidence_is_background_everywhere() -> None:
    evidence = correlation.strongest_evidence(-torch.rand(1, 4, 3, 3))
    assert torch.equal(evidence[:, 0], torch.ones(1, 3, 3))
    assert not evidence[:, 1:].any()


def test_equal_features_give_everyone_the_mean_and_foreign_ones_keep_theirs() -> None:
    evidence = torch.rand(1, 3, 4, 5)
    everywhere = correlation.pixel_correlation(evidence, torch.ones(1, 2, 4, 5))
    torch.testing.assert_close(
        everywhere, evidence.mean((2, 3), keepdim=True).expand_as(evidence), rtol=1e-4, atol=1e-4
    )
    foreign = torch.eye(20).view(1, 20, 4, 5)
    torch.testing.assert_close(correlation.pixel_correlation(evidence, foreign), evidence, rtol=1e-4, atol=1e-4)


def test_blocks_change_no_value_and_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, features = torch.rand(2, 4, 7, 9), torch.randn(2, 5, 7, 9, requires_grad=True)
    found = []
    for entries in (1 << 24, 63 * 10, 1):
        monkeypatch.setattr(correlation, "BLOCK_ENTRIES", entries)
        spread = correlation.pixel_correlation(evidence, features)
        found.append((spread, *torch.autograd.grad(spread.square().sum(), features)))
    for other in found[1:]:
        for value, expected in zip(other, found[0], strict=True):
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_attention_of_every_region_sums_to_one() -> None:
    attention = correlation.region_attention(torch.randn(2, 3, 6), torch.randn(2, 6, 4, 5))
    assert attention.shape == (2, 3, 4, 5)
    np.testing.assert_allclose(attention.sum((2, 3)), 1, rtol=1e-5)
