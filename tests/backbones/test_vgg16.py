from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from golden_nets import fill, stat
from weakseg.backbones.backbone import Backbone, build_backbone
from weakseg.methods.affinitynet.affinity import feature_affinity
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.cam.cam import PlainCam
from weakseg.ops.pairs import stencil_to_pairs
from weakseg.training.optim import param_groups

Golden = Callable[[str], dict[str, NDArray[Any]]]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    backbone = build_backbone("vgg16_20m", output_stride=8, weights="none")
    fill(backbone, lambda name: name.removeprefix("features."))
    return backbone.eval()


@pytest.fixture(scope="module")
def image(golden: Golden) -> Tensor:
    """Made for a network that takes BGR."""
    return torch.from_numpy(golden("full_psa_resnet38_cls")["x"]).flip(1)


def test_levels_and_cam_as_released(backbone: Backbone, image: Tensor, golden: Golden) -> None:
    vectors = golden("full_psa_vgg16_cls")
    cam = PlainCam(backbone, 20, PlainCam.Settings(root=True, frozen_levels=1)).eval()
    fill(cam.classifier, lambda name: f"fc8.{name}")
    with torch.no_grad():
        levels = backbone(image)
        logits = cam.logits(image)
        maps = cam.scale_maps(image, torch.ones(20))
    for name, level in zip(("conv4", "conv5", "conv5fc"), levels[2:], strict=True):
        assert level.shape == tuple(vectors[f"{name}_shape"])
        np.testing.assert_allclose(level[:, :8], vectors[f"{name}_ch0_7"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(stat(level), vectors[f"{name}_stat"], rtol=1e-5)
    np.testing.assert_allclose(logits, vectors["logits"], rtol=1e-4, atol=1e-6)
    # Squared, because the root is steep near 0.
    np.testing.assert_allclose(maps**2, vectors["cam"][0] ** 2, rtol=1e-4, atol=1e-6)
    found = param_groups(cam, cam.new_parameters(), lr=0.1, double_bias=True)
    counts = [[len(group["params"]), sum(p.numel() for p in group["params"])] for group in found]
    assert counts == vectors["n_group"].tolist()[:3]


def test_affinities_as_released(backbone: Backbone, image: Tensor, golden: Golden) -> None:
    vectors = golden("full_psa_vgg16_aff")
    dilated = build_backbone("vgg16_20m_d4", output_stride=8, weights="none")
    dilated.load_state_dict(backbone.state_dict())
    net = AffinityNet(dilated, group_norm=True, frozen_levels=1).eval()
    names = {"reduce": "f8_{}", "norms": "gn8_{}", "join": "f9"}

    def key(name: str) -> str:
        part, *level, kind = name.split(".")
        return names[part].format(*(int(index) + 3 for index in level)) + f".{kind}"

    fill(net.head, key)
    with torch.no_grad():
        affinity = stencil_to_pairs(feature_affinity(net(image), 5, border="crop"), 5)
        plain = stencil_to_pairs(feature_affinity(net.head(backbone(image)[2:], (13, 17)), 5, border="crop"), 5)
    np.testing.assert_allclose(affinity, vectors["aff"], rtol=1e-4)
    assert not np.allclose(plain, vectors["aff"], rtol=1e-4)
    found = param_groups(net, net.new_parameters(), lr=0.1, double_bias=True)
    counts = [[len(group["params"]), sum(p.numel() for p in group["params"])] for group in found]
    assert counts == vectors["n_group"].tolist()[:3]


def test_photos_are_normalised_as_released(backbone: Backbone, golden: Golden) -> None:
    vectors = golden("psa_normalize")
    normalised = (vectors["img"] / 255 - backbone.mean) / backbone.std
    np.testing.assert_allclose(normalised[..., ::-1], vectors["vgg"], rtol=1e-4, atol=1e-4)


def test_levels_of_any_size(backbone: Backbone) -> None:
    assert backbone.channels == (128, 256, 512, 512, 1024)
    assert backbone.strides == (2, 4, 8, 8, 8)
    with torch.no_grad():
        levels = backbone(torch.rand(1, 3, 33, 9))
    assert [tuple(level.shape[2:]) for level in levels] == [(17, 5), (9, 3), (5, 2), (5, 2), (5, 2)]


def test_channels_are_dropped_in_training_only(backbone: Backbone) -> None:
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(backbone(image)[-1], backbone(image)[-1])
        assert not torch.equal(backbone.train()(image)[-1], backbone(image)[-1])
    backbone.eval()
