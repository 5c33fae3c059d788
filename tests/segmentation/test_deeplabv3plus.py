from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.backbones.backbone import BackboneSettings, build_backbone
from weakseg.errors import WeaksegError
from weakseg.segmentation.deeplabv3plus import DeepLabV3Plus, DeepLabV3PlusSettings
from weakseg.segmentation.networks import build_segmentation


def small_net(name: str = "test_resnet", own: dict[str, object] | None = None, **options: object) -> DeepLabV3Plus:
    torch.manual_seed(0)
    settings = DeepLabV3PlusSettings(**(own or {}))
    backbone = BackboneSettings(name, **{"weights": "none", "dilation": False, **options})
    return DeepLabV3Plus.build(backbone, 5, settings)


NETS = {stride: small_net(output_stride=stride).eval() for stride in (8, 16)}


@given(height=st.integers(1, 70), width=st.integers(1, 70), stride=st.sampled_from([8, 16]))
@settings(max_examples=25, deadline=None)
def test_logits_have_the_size_of_any_image(height: int, width: int, stride: int) -> None:
    with torch.no_grad():
        assert NETS[stride](torch.randn(1, 3, height, width)).shape == (1, 5, height, width)


@pytest.mark.parametrize("dilation", [True, False])
@pytest.mark.parametrize("name", ["test_convnext", "test_efficientnet", "test_byobnet"])
def test_backbones_of_all_kinds_fit(name: str, dilation: bool) -> None:
    net = small_net(name, dilation=dilation).eval()
    with torch.no_grad():
        assert net(torch.randn(2, 3, 64, 48)).shape == (2, 5, 64, 48)


def test_it_is_the_network_of_segmentation_models_pytorch() -> None:
    net = small_net(dilation=True).eval()
    reference = smp.DeepLabV3Plus(
        "tu-test_resnet", encoder_weights=None, classes=5, decoder_atrous_rates=(6, 12, 18)
    ).eval()
    state = {
        key.replace("encoder.model.features.", "encoder.model."): value
        for key, value in net.network.state_dict().items()
    }
    reference.load_state_dict(state)
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net(image), reference(image))


@pytest.mark.parametrize(("stride", "rates"), [(16, {1, 6, 12, 18}), (8, {1, 12, 24, 36})])
def test_atrous_rates_go_with_the_output_stride(stride: int, rates: set[int]) -> None:
    decoder = NETS[stride].network.decoder
    assert {module.dilation[0] for module in decoder.modules() if isinstance(module, nn.Conv2d)} == rates
    assert NETS[stride].backbone.strides[-1] == stride


def test_atrous_rates_can_be_set_for_small_crops() -> None:
    net = small_net(own={"atrous_rates": (2, 4, 5)})
    pool = net.network.decoder.aspp[0].convs
    for branch, rate in zip(list(pool)[1:4], (2, 4, 5), strict=True):
        width = next(part.in_channels for part in branch.modules() if isinstance(part, nn.Conv2d))
        features = torch.randn(1, width, 15, 15, requires_grad=True)
        branch.eval()(features)[0, :, 7, 7].sum().backward()
        assert features.grad is not None
        rows, columns = features.grad[0].abs().sum(0).nonzero().unbind(1)
        assert {7 - rate, 7, 7 + rate} == set(rows.tolist()) == set(columns.tolist())
    with pytest.raises(WeaksegError, match="atrous_rates has 2 rates; ASPP takes 3"):
        DeepLabV3PlusSettings(atrous_rates=(1, 2))


def test_the_backbone_comes_with_its_weights_and_normalisation() -> None:
    net = build_segmentation("deeplabv3plus", backbone_name="tf_efficientnet_lite0", n_labels=7, dilation=False)
    expected = build_backbone("tf_efficientnet_lite0", dilation=False).state_dict()
    found = net.backbone.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert net.mean == net.std == (0.5, 0.5, 0.5)
    assert {conv.dilation for conv in net.backbone.modules() if isinstance(conv, nn.Conv2d)} == {(1, 1)}


def test_new_parameters_are_all_but_the_backbone() -> None:
    net = small_net()
    new = {id(parameter) for parameter in net.new_parameters()}
    names = {name.split(".")[1] for name, parameter in net.named_parameters() if id(parameter) in new}
    assert names == {"decoder", "segmentation_head"}
    assert len(new) + len(list(net.backbone.parameters())) == len(list(net.parameters()))


def test_states_hold_no_tensor_twice() -> None:
    state = small_net().state_dict()
    assert len({value.data_ptr() for value in state.values() if value.numel()}) == len(state)


def test_batch_norm_of_the_head_trains_while_the_backbones_is_frozen() -> None:
    net = small_net(batch_norm="frozen").eval().train()
    backbone = set(net.backbone.modules())
    modes = {(module in backbone, module.training) for module in net.modules() if isinstance(module, _BatchNorm)}
    assert modes == {(True, False), (False, True)}
    trained = {
        module in backbone: module.weight.requires_grad for module in net.modules() if isinstance(module, _BatchNorm)
    }
    assert trained == {True: False, False: True}
    net(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.new_parameters())


def test_training_on_one_image_is_refused() -> None:
    net = small_net().train()
    with pytest.raises(WeaksegError, match="batch of 2 or more"):
        net(torch.randn(1, 3, 64, 64))


def test_loss_is_the_mean_over_labelled_pixels() -> None:
    net, images = NETS[16], torch.randn(2, 3, 32, 32)
    labels = torch.randint(0, 5, (2, 32, 32))
    labels[:, :9] = 255
    with torch.no_grad():
        found = net.losses(images, labels)
        expected = F.cross_entropy(net(images), labels, ignore_index=255)
        unlabelled = net.losses(images, torch.full_like(labels, 255))
    assert list(found) == ["cross_entropy"]
    assert torch.allclose(found["cross_entropy"], expected)
    assert unlabelled["cross_entropy"] == 0


def test_only_what_is_pooled_from_whole_photos_takes_the_epsilon() -> None:
    net = small_net(own={"pooled_epsilon": 0.25})
    before = {name: module.eps for name, module in small_net().named_modules() if isinstance(module, _BatchNorm)}
    after = {name: module.eps for name, module in net.named_modules() if isinstance(module, _BatchNorm)}
    changed = [name for name in before if before[name] != after[name]]
    assert len(changed) == 1
    assert after[changed[0]] == 0.25
    pooled = net.get_submodule(changed[0].rpartition(".")[0])
    assert any(isinstance(module, torch.nn.AdaptiveAvgPool2d) for module in pooled.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "fcn"}, "unknown segmentation network 'fcn'; available: deeplabv3plus"),
        ({"output_stride": 32}, "unknown output_stride of deeplabv3plus '32'; available: 8, 16"),
        ({"backbone_name": "resnet51"}, "unknown backbone 'resnet51'"),
        ({"backbone_name": "test_vit"}, "deeplabv3plus cannot use the levels of backbone 'test_vit'"),
    ],
)
def test_mistakes_are_told_in_one_line(options: dict[str, object], message: str) -> None:
    arguments = {
        "network": "deeplabv3plus",
        "backbone_name": "test_resnet",
        "n_labels": 3,
        "weights": "none",
        **options,
    }
    with pytest.raises(WeaksegError, match=message) as caught:
        build_segmentation(**arguments)
    assert "\n" not in str(caught.value)


def test_the_decoder_can_be_narrower() -> None:
    narrow = small_net(own={"decoder_channels": 64})
    counts = [sum(p.numel() for p in each.new_parameters()) for each in (small_net(), narrow)]
    assert counts[1] < counts[0] / 2
    with torch.no_grad():
        assert narrow.eval()(torch.randn(1, 3, 40, 30)).shape == (1, 5, 40, 30)
