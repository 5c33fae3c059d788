from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden_nets import fill, stat
from weakseg.backbones.backbone import Backbone, build_backbone
from weakseg.backbones.wr38 import Block, Layout
from weakseg.methods.affinitynet.affinity import feature_affinity
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.cam.cam import PlainCam
from weakseg.ops.pairs import stencil_to_pairs
from weakseg.training.optim import param_groups

Golden = Callable[[str], dict[str, NDArray[Any]]]


def groups(model: nn.Module, new: list[nn.Parameter]) -> list[list[int]]:
    found = param_groups(model, new, lr=0.1, double_bias=True)
    return [[len(group["params"]), sum(parameter.numel() for parameter in group["params"])] for group in found]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    backbone = build_backbone("wr38", output_stride=8, weights="none")
    fill(backbone, lambda name: name.removeprefix("features."))
    return backbone.eval()


@pytest.fixture(scope="module")
def image(golden: Golden) -> Tensor:
    return torch.from_numpy(golden("full_psa_resnet38_cls")["x"])


def test_levels_and_cam_as_released(backbone: Backbone, image: Tensor, golden: Golden) -> None:
    vectors = golden("full_psa_resnet38_cls")
    cam = PlainCam(backbone, 20, PlainCam.Settings(frozen_levels=1)).eval()
    fill(cam.classifier, lambda name: f"fc8.{name}")
    with torch.no_grad():
        levels = backbone(image)
        logits = cam.logits(image)
        maps = cam.scale_maps(image, torch.ones(20))
    for name, level in zip(("conv4", "conv5", "conv6"), levels[2:], strict=True):
        assert level.shape == tuple(vectors[f"{name}_shape"])
        np.testing.assert_allclose(level[:, :8], vectors[f"{name}_ch0_7"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(stat(level), vectors[f"{name}_stat"], rtol=1e-5)
    np.testing.assert_allclose(logits, vectors["logits"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps, vectors["cam"][0], rtol=1e-4, atol=1e-5)
    assert groups(cam, cam.new_parameters()) == [pair for pair in vectors["n_group"].tolist() if pair[0]]
    frozen = [name for name, parameter in cam.named_parameters() if not parameter.requires_grad]
    assert len(frozen) == vectors["n_frozen"]
    assert sum(".bn" in name for name in frozen) == vectors["n_frozen_bn"]


def test_affinities_as_released(backbone: Backbone, image: Tensor, golden: Golden) -> None:
    vectors = golden("full_psa_resnet38_aff")
    net = AffinityNet(backbone, frozen_levels=1).eval()
    names = {"reduce.0.weight": "f8_3", "reduce.1.weight": "f8_4", "reduce.2.weight": "f8_5", "join.weight": "f9"}
    fill(net.head, lambda name: f"{names[name]}.weight")
    with torch.no_grad():
        affinity = stencil_to_pairs(feature_affinity(net(image), 5, border="crop"), 5)
    np.testing.assert_allclose(affinity, vectors["aff"], rtol=1e-4)
    assert groups(net, net.new_parameters()) == [pair for pair in vectors["n_group"].tolist() if pair[0]]


def test_levels_of_any_size(backbone: Backbone) -> None:
    assert backbone.channels == (128, 256, 512, 1024, 4096)
    assert backbone.strides == (2, 4, 8, 8, 8)
    with torch.no_grad():
        levels = backbone(torch.rand(1, 3, 33, 9))
    assert [tuple(level.shape[2:]) for level in levels] == [(17, 5), (9, 3), (5, 2), (5, 2), (5, 2)]


def test_the_last_blocks_drop_channels_in_training_only() -> None:
    torch.manual_seed(0)
    block = Block(Layout((8, 4, 6, 12), (1, 3, 1), (1, 4, 1), dropout=0.5))
    features = torch.randn(2, 8, 9, 9)
    block.bn_branch2a.eval(), block.bn_branch2b1.eval(), block.bn_branch2b2.eval()
    assert not torch.equal(block(features)[0], block(features)[0])
    block.eval()
    assert torch.equal(block(features)[0], block(features)[0])


@pytest.mark.parametrize(
    "layout", [Layout((8, 4, 8), dilations=(2, 2)), Layout((8, 4, 9)), Layout((8, 8, 8), stride=2)]
)
def test_a_block_adds_to_its_input_or_to_a_projection_of_it(layout: Layout) -> None:
    torch.manual_seed(0)
    block = Block(layout).eval()
    nn.init.zeros_(block.conv_branch2b1.weight)
    features = torch.randn(1, 8, 7, 7)
    output, activated = block(features)
    assert torch.equal(activated, torch.relu(block.bn_branch2a(features)))
    if layout.widths[0] == layout.widths[-1] and layout.stride == 1:
        assert torch.equal(output, features)
    else:
        assert torch.equal(output, block.conv_branch1(activated))
