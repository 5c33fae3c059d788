from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from golden_nets import fill, key_of_irn_cam, stat
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.registry import SEEDS, build_cam

Golden = Callable[[str], dict[str, NDArray[Any]]]


def small_cam(**options: Any) -> PlainCam:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", dilation=False, batch_norm="affine", weights="none")
    cam = build_cam("cam", backbone, 4, **options)
    assert isinstance(cam, PlainCam)
    return cam


@pytest.fixture(scope="module")
def irn_cam() -> PlainCam:
    backbone = build_backbone("resnet50", output_stride=16, dilation=False, batch_norm="affine", weights="none")
    cam = PlainCam(backbone, 20, PlainCam.Settings(dropout=0.0, frozen_levels=3))
    fill(cam, key_of_irn_cam)
    return cam.eval()


def test_full_size_cam_is_that_of_irnet(irn_cam: PlainCam, golden: Golden) -> None:
    vectors = golden("full_irn_cam")
    image = torch.from_numpy(vectors["x"])
    with torch.no_grad():
        levels = irn_cam.backbone(image)[1:]
        logits = irn_cam.logits(image)
        cam = irn_cam.scale_maps(torch.cat([image, image.flip(-1)]), torch.ones(20))
    for stage, level in enumerate(levels, start=1):
        assert level.shape == tuple(vectors[f"stage{stage}_shape"])
        np.testing.assert_allclose(level[:, :8], vectors[f"stage{stage}_ch0_7"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(stat(level), vectors[f"stage{stage}_stat"], rtol=1e-6)
    np.testing.assert_allclose(logits, vectors["logits"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cam, vectors["cam"], rtol=1e-4, atol=1e-5)
    new = irn_cam.new_parameters()
    assert [len(list(irn_cam.parameters())) - len(new), len(new)] == vectors["n_group"].tolist()


def test_the_first_level_is_what_irnet_holds_fixed(golden: Golden) -> None:
    """It cuts the gradient after layer2, too, in place of which three levels are frozen here."""
    with torch.device("meta"):
        backbone = build_backbone("resnet50", output_stride=16, dilation=False, batch_norm="affine", weights="none")
    backbone.freeze_levels(1)
    assert sum(not parameter.requires_grad for parameter in backbone.parameters()) == golden("full_irn_cam")["n_frozen"]


@pytest.mark.parametrize("vectors", ["psa_cam_merge"])
def test_merge_is_that_of_psa(vectors: str, golden: Golden) -> None:
    arrays = golden(vectors)
    summed = torch.from_numpy(arrays["cams"]).sum(0)[torch.from_numpy(arrays["keys"])]
    merged = small_cam().merge(summed)
    np.testing.assert_allclose(merged, arrays["norm_cam"][arrays["keys"]], rtol=1e-5, atol=1e-6)


def test_losses_are_the_soft_margin_of_pooled_logits() -> None:
    cam = small_cam(dropout=0.0)
    images, tags = torch.randn(2, 3, 64, 64), torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])
    losses = cam.losses(images, tags)
    pooled = cam.backbone(images)[-1].mean((2, 3))
    logits = pooled @ cam.classifier.weight[:, :, 0, 0].T
    expected = -(tags * F.logsigmoid(logits) + (1 - tags) * F.logsigmoid(-logits)).mean()
    assert list(losses) == ["classification"]
    assert torch.allclose(losses["classification"], expected)
    losses["classification"].backward()
    assert cam.classifier.weight.grad is not None


def test_dropout_acts_on_training_logits_only() -> None:
    cam = small_cam(dropout=0.5)
    images = torch.randn(2, 3, 64, 64)
    cam.train()
    assert not torch.equal(cam.logits(images), cam.logits(images))
    assert torch.equal(cam.scale_maps(images, torch.ones(4)), cam.scale_maps(images, torch.ones(4)))
    cam.eval()
    assert torch.equal(cam.logits(images), cam.logits(images))


def test_maps_of_a_mirrored_photo_are_mirrored() -> None:
    cam = small_cam().eval()
    image = torch.randn(1, 3, 64, 96)
    pair = torch.cat([image, image.flip(-1)])
    with torch.no_grad():
        maps = cam.scale_maps(pair, torch.ones(4))
        mirrored = cam.scale_maps(pair.flip(0), torch.ones(4))
        single = cam.scale_maps(image, torch.ones(4)) + cam.scale_maps(image.flip(-1), torch.ones(4)).flip(-1)
    assert maps.shape == (4, 4, 6)
    assert maps.min() >= 0
    assert maps.max() > 0
    assert torch.allclose(mirrored, maps.flip(-1), atol=1e-6)
    assert torch.allclose(single, maps, atol=1e-6)


def test_logits_are_the_mean_of_the_maps_before_the_relu() -> None:
    cam = small_cam().eval()
    with torch.no_grad():
        cam.classifier.weight.abs_()
        image = torch.randn(1, 3, 64, 64)
        assert torch.allclose(cam.scale_maps(image, torch.ones(4)).mean((1, 2)), cam.logits(image)[0], rtol=1e-4)


def test_new_parameters_are_the_classifier() -> None:
    cam = small_cam(frozen_levels=3)
    assert [id(parameter) for parameter in cam.new_parameters()] == [id(cam.classifier.weight)]
    assert cam.classifier.bias is None
    trained = {name.split(".")[2] for name, value in cam.backbone.named_parameters(prefix="b") if value.requires_grad}
    assert trained == {"layer3", "layer4"}
    assert (cam.mean, cam.std) == (cam.backbone.mean, cam.backbone.std)


def test_unknown_methods_list_what_there_is() -> None:
    with pytest.raises(WeaksegError, match=f"unknown seed method 'cma'; available: {', '.join(SEEDS.names())}"):
        build_cam("cma", small_cam().backbone, 4)
