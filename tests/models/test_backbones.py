from __future__ import annotations

import pytest
import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.errors import WeaksegError
from weakseg.models.backbones import Backbone, build_backbone

CONVOLUTIONAL = ("test_resnet", "test_convnext", "test_efficientnet", "test_byobnet", "test_nfnet")
FIXED_STRIDE = {"test_mambaout": 32, "test_vit": 16, "swin_tiny_patch4_window7_224": 32}


def convolutions(module: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: conv for name, conv in module.named_modules() if isinstance(conv, nn.Conv2d)}


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    return [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]


def assert_levels(backbone: Backbone, height: int, width: int) -> None:
    with torch.no_grad():
        levels = backbone.eval()(torch.randn(1, 3, height, width))
    expected = [
        (1, channels, -(-height // stride), -(-width // stride))
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]
    assert [tuple(level.shape) for level in levels] == expected


@pytest.mark.parametrize("dilation", [True, False])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_levels_have_the_stated_strides_and_channels(name: str, output_stride: int, dilation: bool) -> None:
    backbone = build_backbone(name, output_stride=output_stride, dilation=dilation, weights="none")
    assert backbone.strides[-1] == output_stride
    assert_levels(backbone, 64, 96)


@pytest.mark.parametrize(("name", "stride"), FIXED_STRIDE.items())
def test_networks_of_one_stride_are_accepted_at_that_stride(name: str, stride: int) -> None:
    backbone = build_backbone(name, output_stride=stride, weights="none")
    side = timm.get_pretrained_cfg(name).input_size[-1]
    assert_levels(backbone, side, side)
    with pytest.raises(WeaksegError, match=f"cannot have output_stride 8; use {stride}"):
        build_backbone(name, output_stride=8, weights="none")


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_resnet"])
def test_without_dilation_only_strides_are_gone(name: str, output_stride: int) -> None:
    natural = convolutions(timm.create_model(name, features_only=True))
    dilated = convolutions(build_backbone(name, output_stride=output_stride, weights="none").features)
    plain = convolutions(build_backbone(name, output_stride=output_stride, dilation=False, weights="none").features)
    assert {conv.dilation for conv in natural.values()} == {(1, 1)} == {conv.dilation for conv in plain.values()}
    assert any(conv.dilation != (1, 1) for conv in dilated.values())
    removed = [key for key in natural if plain[key].stride != natural[key].stride]
    assert removed
    assert [key for key in natural if dilated[key].stride != natural[key].stride] == removed
    for conv in plain.values():
        if conv.stride == (1, 1):
            assert [2 * pad for pad in conv.padding] == [size - 1 for size in conv.kernel_size]


def test_dilation_by_nature_stays() -> None:
    natural = convolutions(timm.create_model("skresnet18", features_only=True))
    plain = convolutions(build_backbone("skresnet18", output_stride=8, dilation=False, weights="none").features)
    assert {key: conv.dilation for key, conv in plain.items()} == {key: conv.dilation for key, conv in natural.items()}
    assert {conv.dilation for conv in plain.values()} == {(1, 1), (2, 2)}


def test_dilated_features_sample_to_the_strided_ones() -> None:
    torch.manual_seed(0)
    strided = build_backbone("test_resnet", output_stride=32, weights="none").eval()
    dilated = build_backbone("test_resnet", output_stride=16, weights="none").eval()
    dilated.load_state_dict(strided.state_dict())
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(dilated(image)[-1][..., ::2, ::2], strided(image)[-1], atol=1e-5)


def test_resnet50_without_dilation_is_that_of_irnet() -> None:
    backbone = build_backbone("resnet50", output_stride=16, dilation=False, weights="none")
    found = convolutions(backbone.features)
    assert backbone.strides == (2, 4, 8, 16, 16)
    assert backbone.channels == (64, 256, 512, 1024, 2048)
    strides = {layer: {conv.stride[0] for key, conv in found.items() if key.startswith(layer)} for layer in found}
    assert {max(strides[f"layer{index}.0.conv2"]) for index in (1, 4)} == {1}
    assert {max(strides[f"layer{index}.0.conv2"]) for index in (2, 3)} == {2}
    assert {conv.dilation for conv in found.values()} == {(1, 1)}


def test_normalisation_is_the_networks_own() -> None:
    lite = build_backbone("tf_efficientnet_lite0", weights="none")
    assert lite.mean == lite.std == (0.5, 0.5, 0.5)
    resnet = build_backbone("skresnet18", weights="none")
    assert (resnet.mean, resnet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("mode", "statistics", "affine"), [("frozen", False, False), ("affine", False, True), ("train", True, True)]
)
def test_batch_norm_trains_what_its_mode_says(mode: str, statistics: bool, affine: bool) -> None:
    backbone = build_backbone("test_resnet", batch_norm=mode, weights="none")
    holder = nn.Sequential(backbone).eval().train()
    before = {key: value.clone() for key, value in backbone.named_buffers() if key.endswith("running_mean")}
    holder(torch.randn(2, 3, 64, 64))
    moved = [not torch.equal(value, before[key]) for key, value in backbone.named_buffers() if key in before]
    assert moved == [statistics] * len(moved)
    assert {norm.weight.requires_grad for norm in batch_norms(backbone)} == {affine}
    assert {norm.bias.requires_grad for norm in batch_norms(backbone)} == {affine}
    assert all(conv.weight.requires_grad for conv in convolutions(backbone).values())
    assert not any(norm.training for norm in batch_norms(backbone.eval()))


def test_frozen_levels_train_as_if_their_output_were_detached() -> None:
    torch.manual_seed(0)
    cut, whole = (build_backbone("test_resnet", batch_norm="affine", weights="none") for _ in range(2))
    cut.load_state_dict(whole.state_dict())
    cut.freeze_levels(3)
    whole.features.layer2.register_forward_hook(lambda module, inputs, output: output.detach())
    image = torch.randn(2, 3, 64, 64)
    for network in (cut, whole):
        network(image)[-1].square().mean().backward()
    assert {key.split(".")[1] for key, value in cut.named_parameters() if value.requires_grad} == {"layer3", "layer4"}
    for (key, one), (_, other) in zip(cut.named_parameters(), whole.named_parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), key
        assert one.grad is None or torch.equal(one.grad, other.grad), key
    assert cut.training


def test_freezing_goes_on_top_of_frozen_batch_norm() -> None:
    backbone = build_backbone("test_efficientnet", weights="none")
    backbone.freeze_levels(0)
    trained = sum(parameter.requires_grad for parameter in backbone.parameters())
    backbone.freeze_levels(2)
    assert 0 < sum(parameter.requires_grad for parameter in backbone.parameters()) < trained
    assert not any(norm.weight.requires_grad for norm in batch_norms(backbone))
    backbone.freeze_levels(5)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(WeaksegError, match="0 to 5 for this backbone, not 6"):
        backbone.freeze_levels(6)


def test_random_weights_depend_on_the_seed_alone() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_backbone("test_resnet", dilation=False, weights="none").state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet51"}, r"unknown backbone 'resnet51'; available: .*resnet50"),
        ({"name": "zzzzzzzzzzz"}, "unknown backbone 'zzzzzzzzzzz'; available: any name of timm.list_models"),
        ({"name": "resnet50.nobody"}, r"backbone 'resnet50.nobody': .*nobody"),
        ({"name": "test_resnet", "output_stride": 4}, "unknown output_stride '4'; available: 8, 16, 32"),
        ({"name": "vgg11", "output_stride": 16}, "cannot have output_stride 16; use 32"),
        ({"name": "test_resnet", "batch_norm": "none"}, "unknown batch_norm 'none'; available: frozen, affine, train"),
    ],
)
def test_mistakes_are_told_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(WeaksegError, match=message) as caught:
        build_backbone(**{"weights": "none", **options})
    assert "\n" not in str(caught.value)
