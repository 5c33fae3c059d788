from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from weakseg.backbones.backbone import build_backbone
from weakseg.methods.seam.consistency import TaggedChannels, View
from weakseg.methods.seam.seam import Seam

Golden = Callable[[str], dict[str, NDArray[Any]]]
SIZES = ((40, 40), (12, 12))


def small_seam(n_classes: int = 20, **options: Any) -> Seam:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    return Seam(backbone, n_classes, Seam.Settings(**options))


def views(maps: dict[str, Tensor]) -> list[View]:
    return [View(maps[f"cam{number}"], maps[f"rv{number}"], size) for number, size in zip("12", SIZES, strict=True)]


def test_losses_and_gradients_are_those_of_the_released_code(golden: Golden, hard_differences: list[float]) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden("seam_losses").items()}
    maps = {key: data[key].requires_grad_() for key in ("cam1", "rv1", "cam2", "rv2")}
    terms = small_seam().terms(views(maps), data["label"])
    expected = {
        "classification": (data["loss_cls1"] + data["loss_cls2"]) / 2,
        "minimum": (data["rvmin1"] + data["rvmin2"]) / 2,
        "equivariance": data["loss_er"],
        "cross": data["loss_ecr"],
    }
    assert list(terms) == list(expected)
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name], rtol=1e-5, atol=1e-6)
    assert hard_differences == pytest.approx([data["loss_ecr1"].item(), data["loss_ecr2"].item()], rel=1e-5)
    torch.testing.assert_close(terms["classification"] + terms["minimum"], data["loss_cls"], rtol=1e-5, atol=1e-6)
    total = sum(terms.values())
    torch.testing.assert_close(total, data["loss"], rtol=1e-5, atol=1e-6)
    total.backward()
    for key, given in maps.items():
        torch.testing.assert_close(given.grad, data[f"grad_{key}"], rtol=1e-5, atol=1e-9)


def test_as_many_differences_are_hard_as_in_the_released_code(golden: Golden) -> None:
    """One of size 1 among the 21 x 12 x 12 of an image has a mean of 1 / k."""
    nothing = torch.zeros(1, 21, *SIZES[1])
    one = nothing.clone()
    one[0, 3, 4, 5] = 1
    mean = TaggedChannels(torch.ones(1, 20)).hard_difference(one, nothing, small_seam().hard_share)
    assert 1 / mean.item() == pytest.approx(golden("seam_losses")["topk_k"])


def test_losses_look_at_the_photos_and_at_smaller_ones(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    data = golden("seam_losses")
    cam, seen = small_seam(), []
    monkeypatch.setattr(cam, "view", lambda images: seen.append(images) or len(seen))
    monkeypatch.setattr(cam, "terms", lambda found, tags: {"classification": found})
    images = torch.from_numpy(data["img"])
    assert cam.losses(images, torch.from_numpy(data["label"])) == {"classification": [1, 2]}
    assert seen[0] is images
    torch.testing.assert_close(seen[1], torch.from_numpy(data["img2"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({"equivariance": False}, {"equivariance"}),
        ({"cross": False}, {"cross"}),
        ({"minimum": False}, {"minimum"}),
        ({"context": "none"}, {"cross", "minimum"}),
        ({"warm_up": 0.1}, {"equivariance", "cross", "minimum"}),
    ],
)
def test_every_term_has_a_switch(options: dict[str, Any], gone: set[str]) -> None:
    torch.manual_seed(0)
    images, tags = torch.randn(2, 3, 64, 64), torch.eye(4)[:2]
    every = small_seam(4, dropout=0.0).losses(images, tags)
    terms = small_seam(4, dropout=0.0, **options).losses(images, tags)
    assert set(every) - set(terms) == gone
    for name in set(terms) - {"classification"}:
        torch.testing.assert_close(terms[name], every[name])


def test_all_examples_are_no_harder_than_the_hardest() -> None:
    images, tags = torch.randn(2, 3, 64, 64), torch.eye(4)[:2]
    cross = [small_seam(4, dropout=0.0, hard_share=share).losses(images, tags)["cross"] for share in (0.05, 0.2, 1)]
    assert cross[0] > cross[1] > cross[2] > 0


def test_losses_at_a_stride_are_near_those_at_full_size() -> None:
    images, tags = torch.randn(2, 3, 128, 128), torch.eye(4)[:2]
    full, coarse = (small_seam(4, dropout=0.0, loss_stride=stride).losses(images, tags) for stride in (1, 4))
    for name, term in full.items():
        torch.testing.assert_close(coarse[name], term, rtol=0.1, atol=0.02)
