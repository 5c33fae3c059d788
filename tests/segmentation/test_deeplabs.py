"""DeepLabV1, V2 and V3 as released: their arithmetic, the names of their tensors, their rates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden_nets import fill
from weakseg.backbones.backbone import build_backbone
from weakseg.backbones.surgery import set_multi_grid
from weakseg.errors import WeaksegError
from weakseg.methods.released import load_checkpoint, put_released
from weakseg.recipes.loading import load_recipe
from weakseg.segmentation.base import BackboneNetwork
from weakseg.segmentation.deeplabv1 import DeepLabV1
from weakseg.segmentation.deeplabv2 import DeepLabV2
from weakseg.segmentation.deeplabv3 import DeepLabV3
from weakseg.training.optim import build_sgd, param_groups, set_lr

Golden = Callable[[str], dict[str, NDArray[Any]]]
KEYS = json.loads((Path(__file__).parents[1] / "golden" / "state_dict_keys.json").read_text())

RELEASED: dict[str, tuple[type[BackboneNetwork], str, str]] = {
    "deeplabv1_resnet38_ywseg": (DeepLabV1, "wr38", "seam"),
    "deeplabv2_r101_msc": (DeepLabV2, "resnet101_caffe", "vwe"),
    "deeplabv3_r101": (DeepLabV3, "resnet101_caffe", "ae-sipe"),
}
"""Network, backbone, and the recipe whose settings it has."""


def build(name: str) -> BackboneNetwork:
    kind, backbone, recipe = RELEASED[name]
    batch_norm = load_recipe(recipe).segment.backbone.batch_norm
    built = build_backbone(backbone, output_stride=8, weights="none", batch_norm=batch_norm)
    return kind(built, 21, load_recipe(recipe).segment.chosen)


def their_name(net: BackboneNetwork) -> Callable[[str], str]:
    table = {ours: theirs for theirs, ours in {"": "backbone.features.", **net.RELEASED}.items()}

    def name(key: str) -> str:
        begin = max((begin for begin in table if key.startswith(begin)), key=len)
        return table[begin] + key.removeprefix(begin)

    return name


def filled(name: str) -> BackboneNetwork:
    net = build(name).eval()
    fill(net, their_name(net))
    return net


@pytest.mark.slow
@torch.no_grad()
def test_deeplabv1_as_released(golden: Golden) -> None:
    vectors, net = golden("full_deeplabv1"), filled("deeplabv1_resnet38_ywseg")
    np.testing.assert_allclose(net(torch.from_numpy(vectors["x"])), vectors["out"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_deeplabv2_as_released(golden: Golden) -> None:
    vectors, net = golden("full_deeplabv2"), filled("deeplabv2_r101_msc")
    found = net.all_logits(torch.from_numpy(vectors["x"]).flip(1))  # here channels are turned inside
    assert [list(each.shape) for each in found] == vectors["shapes"].tolist()
    for each, name in zip(found, ("base", "s50", "s75", "out"), strict=True):
        np.testing.assert_allclose(each, vectors[name], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@torch.no_grad()
def test_deeplabv3_as_released(golden: Golden) -> None:
    net = filled("deeplabv3_r101")
    found = net.logits(torch.from_numpy(golden("full_deeplabv2")["x"]).flip(1))
    np.testing.assert_allclose(found, golden("full_deeplabv3")["out"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", RELEASED)
def test_released_tensors_find_their_places(name: str) -> None:
    with torch.device("meta"):
        net = build(name)
    ours = {their_name(net)(key): list(value.shape) for key, value in net.state_dict().items()}
    assert ours == dict(KEYS[name])


def test_released_checkpoints_load(tmp_path: Path) -> None:
    net, source = narrow(), narrow()
    for value in source.state_dict().values():
        value.add_(1)
    name = their_name(net)
    state = {name(key): value for key, value in source.state_dict().items()}
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "released.pth")
    load_checkpoint(net, tmp_path / "released.pth")
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in net.state_dict().items())
    short = {key: value for key, value in state.items() if "conv_fov2" not in key}
    with pytest.raises(WeaksegError, match=r"x\.pth: 1 of the network's .* do not fit, 'conv_fov2\.weight' is missing"):
        put_released(net, short, "x.pth")


def narrow() -> DeepLabV1:
    settings = DeepLabV1.Settings(width=8, train_affine=False)
    return DeepLabV1(build_backbone("test_resnet", output_stride=8, weights="none"), 4, settings)


def groups(net: nn.Module, new: list[nn.Parameter], recipe: str) -> list[dict[str, Any]]:
    train = load_recipe(recipe).segment.train
    options = {"new_lr_factor": train.new_lr_factor, "weight_decay": train.weight_decay}
    return param_groups(net, new, lr=train.lr, double_bias=train.double_bias, **options)


def test_groups_of_deeplabv1_as_released(golden: Golden) -> None:
    with torch.device("meta"):
        net = build("deeplabv1_resnet38_ywseg").train()
    found = groups(net, net.new_parameters(), "seam")
    sizes = [count for count in golden("full_deeplabv1")["n_group"].tolist() if count]
    assert [len(group["params"]) for group in found] == sizes
    rates = [(group["lr"], group["weight_decay"]) for group in found]
    np.testing.assert_allclose(rates, [(0.001, 5e-4), (0.01, 5e-4), (0.02, 0)])


def test_groups_of_deeplabv2() -> None:
    with torch.device("meta"):
        net = build("deeplabv2_r101_msc").train()
    found = groups(net, net.new_parameters(), "vwe")
    rates = [(group["lr"], group["weight_decay"]) for group in found]
    np.testing.assert_allclose(rates, [(2.5e-4, 5e-4), (2.5e-3, 5e-4), (5e-3, 0)])
    assert [len(group["params"]) for group in found] == [104, 4, 4]  # no batch normalisation


@pytest.mark.parametrize(
    ("recipe", "column", "factors"), [("vwe", "kazuto", (1, 10)), ("seam", "ywseg", (1, 2, 10, 20))]
)
def test_rates_as_released(recipe: str, column: str, factors: tuple[int, ...], golden: Golden) -> None:
    train, expected = load_recipe(recipe).segment.train, golden("deeplab_lr")[column]
    start = [{"params": [nn.Parameter(torch.zeros(1))], "lr": factor * train.lr} for factor in factors]
    optimizer = build_sgd([group | {"initial_lr": group["lr"]} for group in start], momentum=train.momentum)
    # deeplab-pytorch's are those after each iteration, which the next one uses.
    first = 1 if column == "kazuto" else 0
    for step, rates in enumerate(expected, start=first):
        set_lr(optimizer, step, 200, train)
        np.testing.assert_allclose([group["lr"] for group in optimizer.param_groups], rates, rtol=1e-6)


def two_sizes() -> tuple[DeepLabV2, Tensor]:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", output_stride=8, weights="none")
    return DeepLabV2(backbone, 4, DeepLabV2.Settings(rates=(1, 2), scales=(0.5,))), torch.randn(2, 3, 64, 48)


def test_deeplabv2_learns_at_every_size_from_labels_of_that_size() -> None:
    net, images = two_sizes()
    net.eval()
    labels = torch.zeros(2, 64, 48, dtype=torch.long)
    labels[..., 24:] = 255
    terms = net.losses(images, labels)
    whole, half, strongest = net.all_logits(images)
    assert (whole.shape[-2:], half.shape[-2:]) == ((8, 6), (4, 3))
    expected = [-logits.log_softmax(1)[:, 0].mean() for logits in (whole[..., :3], half[..., :1], strongest[..., :3])]
    assert list(terms) == ["cross_entropy", "cross_entropy_0.5", "cross_entropy_max"]
    torch.testing.assert_close(list(terms.values()), expected)
    assert (strongest >= whole).all()


def test_multi_grid_multiplies_the_dilation_of_a_resnets_last_blocks() -> None:
    backbone = build_backbone("resnet26", output_stride=8, weights="none")
    before = backbone.features.layer4[1].conv2.dilation[0]
    set_multi_grid(backbone.features, (1, 2))
    assert [block.conv2.dilation[0] for block in backbone.features.layer4] == [
        backbone.features.layer4[0].conv2.dilation[0],
        2 * before,
    ]
    with torch.inference_mode():
        assert backbone.eval()(torch.randn(1, 3, 64, 64))[-1].shape[-2:] == (8, 8)
    with pytest.raises(WeaksegError, match="multi_grid has 3 factors; the last stage of this backbone has 2 blocks"):
        set_multi_grid(backbone.features, (1, 2, 4))


@pytest.mark.parametrize(("stride", "size"), [(8, (13, 15)), (16, (7, 8)), (32, (4, 4))])
def test_caffes_resnet_has_every_output_stride(stride: int, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        backbone = build_backbone("resnet50_caffe", output_stride=stride, weights="none").eval()
        levels = backbone(torch.empty(1, 3, 97, 113))
    assert levels[-1].shape == (1, 2048, *size)
    assert backbone.strides[-1] == stride
