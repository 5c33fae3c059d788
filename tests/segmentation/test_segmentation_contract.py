"""What every segmentation network does beside the contract of all networks (tests/test_contract.py)."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.backbones.backbone import BackboneSettings
from weakseg.backbones.surgery import by_batch
from weakseg.errors import WeaksegError
from weakseg.recipes.loading import load_recipe
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS, build_segmentation
from weakseg.settings import field_help

NAMES = SEGMENTATION_NETWORKS.names()


def small_net(name: str, **options: object) -> SegmentationNetwork:
    torch.manual_seed(0)
    kind = SEGMENTATION_NETWORKS.get(name)
    widths = {"decoder_channels", "width"} & {field.name for field in fields(kind.Settings)}
    backbone = BackboneSettings("test_resnet", **{"weights": "none", "dilation": False, **options})
    return kind.build(backbone, 5, kind.Settings(**dict.fromkeys(widths, 16)))


def labelled() -> Tensor:
    labels = torch.zeros(2, 32, 32, dtype=torch.long)
    labels[:, :4], labels[:, 4:8], labels[0, 16:24, 8:16] = 255, 2, 4
    return labels


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_are_a_section_of_recipes(name: str) -> None:
    kind, recipe = SEGMENTATION_NETWORKS.get(name), load_recipe("cam", ["small"], [f"segment.network={name}"])
    assert recipe.segment.chosen == kind.Settings()
    assert all(field_help(kind.Settings).values())
    with pytest.raises(WeaksegError, match=rf"unknown key segment\.{name}\.nothing; available there: "):
        load_recipe("cam", [], [f"segment.{name}.nothing=1"])


@pytest.mark.parametrize("size", [(1, 1), (1, 47), (17, 16), (32, 33), (65, 31)])
@pytest.mark.parametrize("name", NAMES)
def test_logits_have_the_size_of_any_image(name: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        found = small_net(name).eval()(torch.randn(1, 3, *size))
    assert found.shape == (1, 5, *size)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_one_are_refused_where_batch_statistics_need_more(name: str) -> None:
    net, image, labels = small_net(name).train(), torch.randn(1, 3, 64, 64), torch.zeros(1, 64, 64, dtype=torch.long)
    override = [f"segment.network={name}", "segment.backbone=null", "segment.train.batch_size=1"]
    if net.batch_statistics:
        with pytest.raises(WeaksegError, match="cannot train on a batch of 1 image; use a batch of 2 or more"):
            net.losses(image, labels)
        with pytest.raises(WeaksegError, match=r"segment\.train\.batch_size must be at least 2"):
            load_recipe("cam", ["small"], override)
    else:
        assert all(torch.isfinite(term) for term in net.losses(image, labels).values())
        assert load_recipe("cam", ["small"], override).segment.train.batch_size == 1
        with pytest.raises(WeaksegError, match=r"segment\.train\.batch_size must be at least 2"):
            load_recipe("cam", ["small"], [*override, "backbone.batch_norm=train"])


@pytest.mark.parametrize("name", NAMES)
def test_unlabelled_images_cost_nothing_and_rare_labels_count_more_if_asked(name: str) -> None:
    net, images, labels = small_net(name).eval(), torch.randn(2, 3, 64, 64), labelled().repeat(1, 2, 2)
    plain = net.losses(images, labels)
    unlabelled = net.losses(images, torch.full_like(labels, 255))
    net.balance = 1.0
    balanced = net.losses(images, labels)
    assert plain.keys() == balanced.keys() == unlabelled.keys()
    assert all(term == 0 for term in unlabelled.values())
    assert any(plain[term] != balanced[term] for term in plain)
    assert all(term == 0 for term in net.losses(images, torch.full_like(labels, 255)).values())


@pytest.mark.parametrize("name", NAMES)
def test_frozen_levels_are_not_trained_and_all_others_are(name: str) -> None:
    net = small_net(name)
    if not hasattr(net, "backbone"):
        with pytest.raises(WeaksegError, match="has no backbone with levels"):
            net.freeze_levels(1)
        return
    net.freeze_levels(1)
    net.train().losses(torch.randn(2, 3, 32, 32), labelled())["cross_entropy"].backward()
    frozen = {key for key, value in net.named_parameters() if not value.requires_grad}
    assert frozen
    assert all("backbone" in key or "encoder" in key for key in frozen)
    assert not frozen & {key for key, value in net.named_parameters() if value.grad is not None}
    with pytest.raises(WeaksegError, match="frozen_levels must be 0 to"):
        net.freeze_levels(99)


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_balance_is_the_frequency_of_labels_to_a_power(balance: float) -> None:
    net, logits, labels = small_net("deeplabv1"), torch.randn(2, 5, 32, 32), labelled()
    net.balance = balance
    single = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    weights = sum((labels == label) * float((labels == label).sum()) ** -balance for label in (0, 2, 4))
    torch.testing.assert_close(net.cross_entropy(logits, labels), (weights * single).sum() / weights.sum())


@pytest.mark.parametrize("balance", [0.5, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_is_taken_back_of_the_balance_is_not_learnt(balance: float, share: float) -> None:
    """Without a photo to look at, the best output is log(frequency) less the gain that stays."""
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10).view(1, 10, 100)
    net, counts = small_net("deeplabv1"), torch.tensor([900, 90, 10])
    net.balance = balance
    net.unbalance(counts, share)
    best = (1 - balance * (1 - share)) * (counts / counts.sum()).log()
    learnt = best.clone().requires_grad_()
    net.cross_entropy(learnt.view(1, 3, 1, 1).expand(1, 3, 10, 100), labels).backward()
    torch.testing.assert_close(learnt.grad, torch.zeros(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_it_computes_in_half_precision(name: str) -> None:
    net, images, labels = small_net(name).train(), torch.randn(2, 3, 32, 32), labelled()
    with torch.autocast("cpu", torch.bfloat16):
        total = sum(net.losses(images, labels).values())
    assert isinstance(total, Tensor)
    total.backward()
    new = [parameter for parameter in net.new_parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in new)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backbone", ["test_convnext", "test_vit", pytest.param("vgg16_20m", marks=pytest.mark.slow)])
def test_backbones_of_other_kinds_fit_or_are_refused_in_one_line(name: str, backbone: str) -> None:
    options = {"weights": "none", "output_stride": 8 if backbone == "vgg16_20m" else 16}
    if name == "deeplabv3plus" and backbone != "test_convnext":
        with pytest.raises(WeaksegError, match="deeplabv3plus cannot use the levels of backbone"):
            build_segmentation(name, backbone_name=backbone, n_labels=3, **options)
        return
    net = build_segmentation(name, backbone_name=backbone, n_labels=3, **options).eval()
    with torch.inference_mode():
        assert net(torch.randn(1, 3, 45, 70)).shape == (1, 3, 45, 70)


def test_statistics_alone_are_trained_where_the_backbone_says_so() -> None:
    net = small_net("deeplabv1", batch_norm="statistics").train()
    layers = [layer for layer in net.backbone.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    before = layers[-1].running_mean.clone()
    net(torch.randn(2, 3, 64, 64))
    assert by_batch("statistics")
    assert not torch.equal(before, layers[-1].running_mean)
    assert not any(parameter.requires_grad for layer in layers for parameter in layer.parameters())


def test_pyramids_need_two_levels() -> None:
    kind = SEGMENTATION_NETWORKS.get("segformer")
    net = kind.build(BackboneSettings("test_resnet", weights="none"), 3, kind.Settings())
    net.backbone.strides = net.backbone.strides[:2]
    with pytest.raises(WeaksegError, match="segformer needs two levels of stride 4 or more; here are "):
        kind(net.backbone, 3, kind.Settings())


def test_a_changed_setting_changes_the_network() -> None:
    kind = SEGMENTATION_NETWORKS.get("deeplabv1")
    plain = kind.Settings(width=16)
    backbone = BackboneSettings("test_resnet", weights="none")
    alone = kind.build(backbone, 3, replace(plain, large_fov=False))
    assert len(alone.new_parameters()) == 2
    wide = kind.build(backbone, 3, replace(plain, rate=2, train_affine=False, batch_norm_momentum=0.01))
    assert wide.conv_fov.dilation == (2, 2)
    assert wide.bn_fov.momentum == 0.01
    assert not wide.bn_fov.weight.requires_grad
