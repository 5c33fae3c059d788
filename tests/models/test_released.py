from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from golden_nets import filling
from weakseg.errors import WeaksegError
from weakseg.models.affinitynet import AffinityNet
from weakseg.models.backbones import build_backbone
from weakseg.models.cams import PlainCam
from weakseg.models.cams.ae_sipe import AeSipe
from weakseg.models.cams.cpn import Cpn
from weakseg.models.cams.seam import Seam
from weakseg.models.cams.sipe import Sipe
from weakseg.models.cams.vwe import VWE
from weakseg.models.irnet import IRNet
from weakseg.models.released import load_checkpoint, put_released

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]
State = Callable[[str], dict[str, Tensor]]

resnet50 = partial(build_backbone, "resnet50", output_stride=16, dilation=False, weights="none")
wr38 = partial(build_backbone, "wr38", output_stride=8, weights="none")
vgg16 = partial(build_backbone, output_stride=8, weights="none")

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "psa_resnet38_cls": lambda: PlainCam(wr38(), 20),
    "psa_resnet38_aff": lambda: AffinityNet(wr38()),
    "psa_vgg16_cls": lambda: PlainCam(vgg16("vgg16_20m"), 20),
    "psa_vgg16_aff": lambda: AffinityNet(vgg16("vgg16_20m_d4"), group_norm=True),
    "seam_resnet38": lambda: Seam(wr38(), 20),
    "cpn_resnet38": lambda: Cpn(wr38(), 20),
    "irn_resnet50_cam": lambda: PlainCam(resnet50(), 20),
    "irn_resnet50_irn": lambda: IRNet(resnet50()),
    "sipe_resnet50": lambda: Sipe(resnet50(), 20),
    "ae_sipe_resnet50": lambda: AeSipe(resnet50(), 20),
    "vwe_resnet50": lambda: VWE(resnet50(), 20),
}


@pytest.fixture(scope="module")
def shapes(golden_folder: Path) -> Callable[[str], dict[str, list[int]]]:
    names = json.loads((golden_folder / "state_dict_keys.json").read_text())
    return lambda network: dict(names[network.removeprefix("ae_")])


@pytest.fixture(scope="module")
def empty(shapes: Callable[[str], dict[str, list[int]]]) -> State:
    """A checkpoint without memory."""
    return lambda network: {key: torch.empty(shape, device="meta") for key, shape in shapes(network).items()}


def on_meta(network: str) -> nn.Module:
    with torch.device("meta"):
        return NETWORKS[network]()


@pytest.mark.parametrize("network", NETWORKS)
def test_every_tensor_finds_its_place(
    network: str, empty: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, loaded = on_meta(network), {}
    monkeypatch.setattr(model, "load_state_dict", lambda state, strict: loaded.update(state))
    state = empty(network)
    with caplog.at_level("INFO", "weakseg"):
        put_released(model, {f"module.{key}": value for key, value in state.items()}, "net.pth")
    own = model.state_dict()
    assert {name: value.shape for name, value in loaded.items()} == {name: value.shape for name, value in own.items()}
    assert caplog.messages == [f"net.pth: {len(own)} tensors loaded; left out: none"]


def numbered(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor filled with a number of its own."""
    return {key: torch.full(value.shape, float(index)) for index, (key, value) in enumerate(state.items())}


def test_irnet_takes_each_tensor_from_its_own_name(empty: State) -> None:
    state = numbered(empty("irn_resnet50_irn"))
    model = IRNet(resnet50())
    put_released(model, state, "irn")
    pairs = {
        "edge.reduce.4.0.weight": "fc_edge5.0.weight",
        "edge.reduce.0.1.bias": "fc_edge1.1.bias",
        "edge.join.bias": "fc_edge6.bias",
        "displacement.reduce.2.1.weight": "fc_dp3.1.weight",
        "displacement.join_coarse.0.weight": "fc_dp6.0.weight",
        "displacement.join.1.weight": "fc_dp7.1.weight",
        "displacement.point.weight": "fc_dp7.3.weight",
        "mean_shift": "fc_dp7.4.running_mean",
        "backbone.features.layer4.2.conv3.weight": "resnet50.layer4.2.conv3.weight",
    }
    own = model.state_dict()
    assert all(torch.equal(own[name], state[key]) for name, key in pairs.items())


def test_a_checkpoint_gives_the_cam_of_its_authors(
    shapes: Callable[[str], dict[str, list[int]]], golden: Golden, tmp_path: Path
) -> None:
    filled = {key: filling(key, tuple(shape)) for key, shape in shapes("psa_vgg16_cls").items()}
    torch.save(filled, tmp_path / "vgg16_cls.pth")
    cam = PlainCam(vgg16("vgg16_20m"), 20).eval()
    load_checkpoint(cam, tmp_path / "vgg16_cls.pth")
    image = torch.from_numpy(golden("full_psa_resnet38_cls")["x"]).flip(1)
    with torch.no_grad():
        found = cam.logits(image)
    np.testing.assert_allclose(found, golden("full_psa_vgg16_cls")["logits"], rtol=1e-4, atol=1e-6)


def test_other_checkpoints_are_told_in_one_line(empty: State) -> None:
    cases = [
        ("irn_resnet50_cam", "sipe_resnet50", r"given: 4 of .* 'hierarchy.sides.0.weight' is missing; give weights"),
        (
            "seam_resnet38",
            "psa_resnet38_cls",
            r"'classifier.weight' has shape \(21, 4096, 1, 1\), not \(20, 4096, 1, 1\)",
        ),
        (
            "psa_resnet38_cls",
            "irn_resnet50_cam",
            r"given: none of the network's 319 tensors is in it; give weights of the same network",
        ),
    ]
    for checkpoint, network, message in cases:
        with pytest.raises(WeaksegError, match=message) as caught:
            put_released(on_meta(network), empty(checkpoint), "given")
        assert "\n" not in str(caught.value)


def test_other_networks_are_told() -> None:
    with pytest.raises(WeaksegError, match=r"released checkpoint 'Linear'; available: PlainCam, .*IRNet"):
        put_released(nn.Linear(2, 2), {}, "given")
