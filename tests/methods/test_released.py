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
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.cam.cam import PlainCam
from weakseg.methods.cpn.cpn import Cpn
from weakseg.methods.irnet.network import IRNet
from weakseg.methods.released import load_checkpoint, put_released
from weakseg.methods.seam.seam import Seam
from weakseg.methods.sipe.ae_sipe import AeSipe
from weakseg.methods.sipe.sipe import Sipe
from weakseg.methods.vwe.vwe import VWE

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

SEAM = {
    "classifier.weight": "fc8.weight",
    "context.reduce.0.weight": "f8_3.weight",
    "context.reduce.1.weight": "f8_4.weight",
    "context.pixels.weight": "f9.weight",
}
AFFINITYNET = {
    "head.reduce.0.weight": "f8_3.weight",
    "head.reduce.1.weight": "f8_4.weight",
    "head.reduce.2.weight": "f8_5.weight",
    "head.join.weight": "f9.weight",
}
ORIGINS: dict[str, tuple[str, dict[str, str]]] = {
    "psa_resnet38_aff": ("", AFFINITYNET),
    "psa_vgg16_aff": (
        "",
        AFFINITYNET
        | {
            "head.norms.0.weight": "gn8_3.weight",
            "head.norms.0.bias": "gn8_3.bias",
            "head.norms.1.weight": "gn8_4.weight",
            "head.norms.1.bias": "gn8_4.bias",
            "head.norms.2.weight": "gn8_5.weight",
            "head.norms.2.bias": "gn8_5.bias",
        },
    ),
    "seam_resnet38": ("", SEAM),
    "cpn_resnet38": ("", SEAM | {"context.regions.weight": "f10.weight"}),
    "irn_resnet50_irn": (
        "resnet50.",
        {
            "edge.reduce.4.0.weight": "fc_edge5.0.weight",
            "edge.reduce.0.1.bias": "fc_edge1.1.bias",
            "edge.join.bias": "fc_edge6.bias",
            "displacement.reduce.2.1.weight": "fc_dp3.1.weight",
            "displacement.join_coarse.0.weight": "fc_dp6.0.weight",
            "displacement.join.1.weight": "fc_dp7.1.weight",
            "displacement.point.weight": "fc_dp7.3.weight",
            "mean_shift": "fc_dp7.4.running_mean",
        },
    ),
    "sipe_resnet50": (
        "resnet50.",
        {
            "classifier.weight": "classifier.weight",
            "hierarchy.sides.0.weight": "side1.weight",
            "hierarchy.sides.1.weight": "side2.weight",
            "hierarchy.sides.2.weight": "side3.weight",
            "hierarchy.sides.3.weight": "side4.weight",
        },
    ),
    "vwe_resnet50": (
        "resnet.",
        {
            "classifier.weight": "classifier.weight",
            "words.codebook": "VWE.centroid",
            "words.head.weight": "fc_a.weight",
            "words_of_features.weight": "fc_b.weight",
        },
    ),
}
"""What stands before the names of the backbone's tensors there, and the names there of those of the head."""


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
    """Every tensor filled with a number of its own, without memory."""
    return {key: torch.tensor(float(index)).expand(value.shape) for index, (key, value) in enumerate(state.items())}


@pytest.mark.parametrize("network", ORIGINS)
def test_each_tensor_comes_from_its_own_name(network: str, empty: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes tell neither CPN's f9 from f10, nor VWE's words from what predicts them, nor a mean from a variance."""
    model, loaded = on_meta(network), {}
    monkeypatch.setattr(model, "load_state_dict", lambda state, strict: loaded.update(state))
    state = numbered(empty(network))
    put_released(model, state, "net.pth")
    keys = list(state)
    found = {name: keys[int(value.flatten()[0])] for name, value in loaded.items()}
    prefix, origins = ORIGINS[network]
    here = "backbone.features."
    origins = origins | {name: prefix + name.removeprefix(here) for name in loaded if name.startswith(here)}
    assert {name: found[name] for name in origins} == origins


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
    with pytest.raises(WeaksegError, match="given: no released checkpoint is of a Linear"):
        put_released(nn.Linear(2, 2), {}, "given")
