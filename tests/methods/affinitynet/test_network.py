from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.affinitynet.affinity import affinity_loss, feature_affinity, pair_labels
from weakseg.methods.affinitynet.network import AffinityHead, AffinityNet
from weakseg.ops.pairs import stencil_to_pairs

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def tensors(golden: Golden, name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in golden(name).items()}


@pytest.mark.parametrize(("name", "size"), [("psa_affinity_rw_12x14", (12, 14)), ("psa_affinity_20x24", (20, 24))])
def test_affinities_as_released(golden: Golden, name: str, size: tuple[int, int]) -> None:
    data = tensors(golden, name)
    head = AffinityHead((8, 10, 12), widths=(4, 5, 7))
    weights = {f"reduce.{level}.weight": data[f"f8_{level + 3}"] for level in range(3)}
    head.load_state_dict(weights | {"join.weight": data["f9"]})
    features = head([data["conv4"], data["conv5"], data["conv6"]], size)
    affinity = stencil_to_pairs(feature_affinity(features, 5, border="crop"), 5)
    torch.testing.assert_close(affinity, data["aff"], rtol=1e-5, atol=1e-6)


def test_group_norm_as_released(golden: Golden) -> None:
    data = tensors(golden, "psa_affinity_vgg_12x14")
    head = AffinityHead((8, 10, 12), widths=(8, 16, 32), group_norm=True)
    weights = {"join.weight": data["f9__weight"]}
    for level in range(3):
        weights[f"reduce.{level}.weight"] = data[f"f8_{level + 3}__weight"]
        weights[f"norms.{level}.weight"] = data[f"gn8_{level + 3}__weight"]
        weights[f"norms.{level}.bias"] = data[f"gn8_{level + 3}__bias"]
    head.load_state_dict(weights)
    features = head([data["conv4"], data["conv5"], data["conv5fc"]], (12, 14))
    affinity = stencil_to_pairs(feature_affinity(features, 5, border="crop"), 5)
    torch.testing.assert_close(affinity, data["aff"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "widths"), [(1, [256]), (3, [64, 128, 256]), (5, [16, 32, 64, 128, 256])])
def test_default_widths(count: int, widths: list[int]) -> None:
    head = AffinityHead([3] * count, group_norm=True)
    assert [layer.weight.shape[0] for layer in head.reduce] == widths
    assert head.join.weight.shape[:2] == (sum(widths), sum(widths))
    assert all(parameter.dim() != 1 for name, parameter in head.named_parameters() if not name.startswith("norms"))


def test_initialisation() -> None:
    torch.manual_seed(0)
    head = AffinityHead([512, 1024, 4096])
    bound = 4 * (6 / (448 + 448)) ** 0.5
    assert head.join.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
    for layer, channels in zip(head.reduce, (512, 1024, 4096), strict=True):
        assert layer.weight.std().item() == pytest.approx((2 / channels) ** 0.5, rel=0.05)


@pytest.fixture(scope="module")
def net() -> AffinityNet:
    torch.manual_seed(0)
    return AffinityNet(build_backbone("resnet10t", weights="none"), widths=(8, 8, 16))


@pytest.mark.parametrize("size", [(64, 96), (75, 61)])
def test_features_have_the_stride(net: AffinityNet, size: tuple[int, int]) -> None:
    features = net.eval()(torch.rand(2, 3, *size))
    assert features.shape == (2, 32, -(-size[0] // 8), -(-size[1] // 8))


def test_training_reaches_backbone_and_head(net: AffinityNet) -> None:
    net.train().zero_grad()
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[:, 3:, 2:] = 1
    affinity_loss(feature_affinity(net(torch.rand(1, 3, 64, 64)), 3), pair_labels(labels, 3)).total.backward()
    new = net.new_parameters()
    assert len(new) == 4
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in new)
    assert any(p.grad is not None and p.grad.any() for p in net.backbone.parameters())


def test_the_distance_is_a_mean_or_a_sum_over_channels(net: AffinityNet, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, labels = torch.rand(1, 3, 64, 80), torch.arange(10, dtype=torch.uint8).repeat(1, 8, 1) // 3
    net.eval()
    with torch.no_grad():
        found = {}
        for reduction in ("mean", "sum"):
            monkeypatch.setattr(net, "reduction", reduction)
            affinity = feature_affinity(net(photos), net.radius, border="crop", reduction=reduction)
            expected = affinity_loss(affinity, pair_labels(labels, net.radius, border="crop")).total
            found[reduction] = torch.stack(list(net.losses(photos, labels).values())).sum()
            torch.testing.assert_close(found[reduction], expected)
    assert abs(found["sum"] - found["mean"]) > 0.1


def test_normalisation_learns_at_the_rate_of_the_backbone() -> None:
    net = AffinityNet(build_backbone("resnet10t", weights="none"), group_norm=True)
    new = net.new_parameters()
    assert [parameter.dim() for parameter in new] == [4, 4, 4, 4]
    assert all(parameter.requires_grad for parameter in net.head.norms.parameters())


@pytest.mark.parametrize(("name", "stride"), [("test_vit", 16), ("test_convnext", 32)])
def test_backbones_of_whole_cells(name: str, stride: int) -> None:
    torch.manual_seed(0)
    net = AffinityNet(build_backbone(name, output_stride=stride, weights="none"), radius=3, frozen_levels=1)
    labels = torch.zeros(2, 5, 9, dtype=torch.uint8)
    labels[:, 3:, 2:] = 1
    terms = net.train().losses(torch.randn(2, 3, 33, 70), labels)
    torch.stack(list(terms.values())).sum().backward()
    assert net(torch.randn(2, 3, 33, 70)).shape == (2, 448, 5, 9)
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    assert {p.grad is not None for p in net.new_parameters()} == {True}


def test_levels_by_choice() -> None:
    backbone = build_backbone("resnet10t", weights="none")
    chosen = AffinityNet(backbone, levels=(-1,), stride=4)
    assert chosen.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 256, 8, 8)
    with pytest.raises(WeaksegError, match=r"levels \[9\]: the backbone has levels 0 to 4"):
        AffinityNet(backbone, levels=(9,))
    with pytest.raises(WeaksegError, match=r"widths \[8\]: give 3"):
        AffinityNet(backbone, widths=(8,))
