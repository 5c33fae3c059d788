from __future__ import annotations

import copy

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.backbones.backbone import Backbone, build_backbone
from weakseg.backbones.surgery import set_batch_norm
from weakseg.backbones.weights import load_state
from weakseg.errors import WeaksegError

CONVOLUTIONAL = ("test_resnet", "test_convnext", "test_efficientnet", "test_byobnet", "test_nfnet")
FIXED_STRIDE = {"test_mambaout": 32, "test_vit": 16, "swin_tiny_patch4_window7_224": 32}
WHOLE_CELLS = {"vit_tiny_patch16_224": 16, "eva02_tiny_patch14_224": 14, "convnext_atto": 32, "dla46_c": 32}


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


@pytest.fixture(scope="module", params=WHOLE_CELLS)
def of_whole_cells(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(request.param, output_stride=WHOLE_CELLS[request.param], weights="none").eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 70), (17, 100), (1, 1)])
def test_networks_of_whole_cells_take_any_size(of_whole_cells: Backbone, size: tuple[int, int]) -> None:
    assert_levels(of_whole_cells, *size)


def test_padding_does_not_move_what_is_seen(of_whole_cells: Backbone) -> None:
    """An image of whole cells, its right part cut off, and the cut off part made zero, are the same to the network."""
    cell = of_whole_cells.cell
    image = torch.randn(1, 3, 2 * cell, 3 * cell)
    image[..., 2 * cell + 3 :] = 0
    with torch.no_grad():
        whole, cut = of_whole_cells(image), of_whole_cells(image[..., : 2 * cell + 3])
    for one, other in zip(whole, cut, strict=True):
        assert torch.equal(one[..., : other.shape[-1]], other)


def test_a_transformer_is_unchanged_at_its_own_size() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("vit_tiny_patch16_224", weights="none").eval()
    own = timm.create_model("vit_tiny_patch16_224", features_only=True).eval()
    own.load_state_dict(backbone.features.state_dict())
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(backbone(image), own(image), strict=True))


def test_frozen_levels_of_a_transformer_are_its_first_blocks() -> None:
    backbone = build_backbone("vit_tiny_patch16_224", weights="none")
    assert backbone.strides == (16, 16, 16)
    backbone.freeze_levels(2)
    trained = {name.split(".")[3] for name, value in backbone.named_parameters() if value.requires_grad}
    assert trained == {"11"}


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


def test_resnet101_without_dilation_is_torchvisions_with_one_stride_less() -> None:
    with torch.device("meta"):
        reference = torchvision.models.resnet101()
        backbone = build_backbone("resnet101", output_stride=16, dilation=False, weights="none")
        load_state(backbone.features, reference.state_dict(), "torchvision")
    reference.layer4[0].conv2.stride = reference.layer4[0].downsample[0].stride = (1, 1)
    assert backbone.strides == (2, 4, 8, 16, 16)
    found, expected = convolutions(backbone.features), convolutions(reference)
    assert {name: str(convolution) for name, convolution in found.items()} == {
        name: str(convolution) for name, convolution in expected.items()
    }


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
    for _ in range(2):
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
        ({"name": "zzzzzzzzzzz"}, "unknown backbone 'zzzzzzzzzzz'; available: wr38, .*, any name of timm.list_models"),
        ({"name": "wr83"}, "unknown backbone 'wr83'; available: wr38"),
        ({"name": "wr38", "output_stride": 16}, "backbone 'wr38' cannot have output_stride 16; use 8"),
        ({"name": "beit_base_patch16_224"}, "cannot take images of any size, only of 224 x 224; use one that can"),
        ({"name": "resnet50.nobody"}, r"backbone 'resnet50.nobody': .*nobody"),
        ({"name": "test_resnet", "output_stride": 4}, "unknown output_stride '4'; available: 8, 16, 32"),
        ({"name": "vgg11", "output_stride": 16}, "cannot have output_stride 16; use 32"),
        ({"name": "test_resnet", "batch_norm": "none"}, "unknown batch_norm 'none'; available: frozen, affine, stat"),
    ],
)
def test_mistakes_are_told_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(WeaksegError, match=message) as caught:
        build_backbone(**{"weights": "none", **options})
    assert "\n" not in str(caught.value)


def test_recomputed_gradients_are_those_of_one_pass():
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        backbone = build_backbone("tf_efficientnet_lite0", dilation=False, recompute=recompute)
        images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        sum(level.square().mean() for level in backbone(images)).backward()
        gradients.append([parameter.grad for parameter in backbone.parameters() if parameter.requires_grad])
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


def test_statistics_are_never_counted_twice():
    assert build_backbone("tf_efficientnet_lite0", batch_norm="affine", recompute=True).recompute
    assert not build_backbone("tf_efficientnet_lite0", batch_norm="train", recompute=True).recompute


def test_frozen_norms_give_the_results_and_gradients_of_torchs():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5).eval()
    for values in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(values)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    fixed = copy.deepcopy(norm)
    set_batch_norm(fixed, "frozen")
    features = torch.randn(2, 5, 6, 7)
    found = []
    for module in (norm, copy.deepcopy(fixed)):
        given = features.clone().requires_grad_()
        result = module(given)
        result.square().sum().backward()
        found.append((result.detach(), given.grad))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])
