from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from numpy.typing import NDArray
from safetensors.torch import save_file
from skimage import data
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import build_backbone
from weakseg.backbones.pyramids import build_pyramid, sketch_pyramid
from weakseg.backbones.weights import PACKAGED, load_packaged, load_state, load_weights, reachable, read_state
from weakseg.errors import WeaksegError


def photo(image: NDArray[np.uint8], side: int = 224) -> Tensor:
    """The central square of an image, as tf_efficientnet_lite0 takes it."""
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255
    height, width = tensor.shape[-2:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = tensor[..., top : top + edge, left : left + edge]
    return (F.interpolate(square, (side, side), mode="bilinear", antialias=True) - 0.5) / 0.5


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def whole() -> nn.Module:
    network: nn.Module = timm.create_model(PACKAGED).eval()
    load_packaged(network)
    return network


@pytest.mark.parametrize(
    ("name", "classes", "sure"),
    [("chelsea", range(281, 286), 0.8), ("coffee", (504, 967, 968), 0.9), ("rocket", (657, 744, 812), 0.3)],
)
def test_packaged_weights_classify_photos(whole: nn.Module, name: str, classes: list[int], sure: float) -> None:
    with torch.no_grad():
        chances = whole(photo(getattr(data, name)())).softmax(1)[0]
    assert int(chances.argmax()) in classes
    assert float(chances[list(classes)].sum()) > sure


def test_packaged_backbone_gives_the_features_of_the_whole_network(whole: nn.Module) -> None:
    image = photo(data.chelsea())
    backbone = build_backbone(PACKAGED, output_stride=32, dilation=False).eval()
    with torch.no_grad():
        _, expected = whole.forward_intermediates(image)
        levels = backbone(image)
        chances = whole.forward_head(whole.bn2(whole.conv_head(levels[-1])))
    assert len(levels) == len(expected) == 5
    assert all(torch.equal(level, other) for level, other in zip(levels, expected, strict=True))
    assert int(chances.argmax()) in range(281, 286)


def test_packaged_weights_load_into_an_smp_encoder(whole: nn.Module) -> None:
    encoder = smp.encoders.get_encoder(f"tu-{PACKAGED}", weights=None, output_stride=32).eval()
    load_packaged(encoder)
    image = photo(data.coffee())
    with torch.no_grad():
        assert torch.equal(encoder(image)[-1], whole.forward_intermediates(image)[1][-1])


def test_packaged_weights_refuse_the_look_alike(whole: nn.Module) -> None:
    look_alike = timm.create_model("efficientnet_lite0").eval()
    with pytest.raises(WeaksegError, match="fit tf_efficientnet_lite0 only, not efficientnet_lite0"):
        load_packaged(look_alike)
    with pytest.raises(WeaksegError, match="fit tf_efficientnet_lite0 only, not 'efficientnet_lite0'"):
        build_backbone("efficientnet_lite0")
    # Why: forced, they load, and the features are others.
    look_alike.load_state_dict(whole.state_dict())
    image = photo(data.chelsea())
    with torch.no_grad():
        assert (look_alike.forward_features(image) - whole.forward_features(image)).abs().max() > 1


def test_packaged_weights_refuse_other_networks() -> None:
    with pytest.raises(WeaksegError, match="not 'resnet50'; use weights=hub, a file or none"):
        build_backbone("resnet50")
    with pytest.raises(WeaksegError, match="not Linear"):
        load_packaged(nn.Linear(2, 2))
    with pytest.raises(WeaksegError, match="fit tf_efficientnet_lite0 only"):
        load_packaged(nn.Sequential(nn.Linear(2, 2), timm.create_model(PACKAGED)))


def as_is(state: dict[str, Tensor]) -> dict[str, object]:
    return dict(state)


def with_module(state: dict[str, Tensor]) -> dict[str, object]:
    return {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}


def nested_twice(state: dict[str, Tensor]) -> dict[str, object]:
    return {"state_dict": {"model": {f"net.encoder.{key}": value for key, value in reversed(state.items())}}}


def without_counters(state: dict[str, Tensor]) -> dict[str, object]:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("arrange", [as_is, with_module, nested_twice, without_counters])
@pytest.mark.parametrize("name", ["test_resnet", "test_byobnet", "test_convnext"])
def test_files_of_whole_networks_load(
    name: str, arrange: Callable[[dict[str, Tensor]], dict[str, object]], tmp_path: Path
) -> None:
    torch.manual_seed(5)
    whole = timm.create_model(name).eval()
    path = tmp_path / "weights.pth"
    torch.save(arrange(whole.state_dict()), path)
    backbone = build_backbone(name, output_stride=32, weights=str(path)).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone(image)[-1], whole.forward_intermediates(image, norm=False)[1][-1])


def test_safetensors_of_a_larger_model_load(tmp_path: Path) -> None:
    torch.manual_seed(5)
    trained = build_backbone("test_efficientnet", weights="none")
    holder = nn.ModuleDict({"backbone": trained, "classifier": nn.Conv2d(3, 2, 1)})
    path = tmp_path / "cam.safetensors"
    save_file(holder.state_dict(), path)
    assert_same(build_backbone("test_efficientnet", weights=str(path)).state_dict(), trained.state_dict())


def test_weights_of_a_transformer_load() -> None:
    torch.manual_seed(5)
    whole = timm.create_model("test_vit").eval()
    backbone = build_backbone("test_vit", weights="none").eval()
    load_state(backbone.features, whole.state_dict(), "test")
    image = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        expected = whole.forward_intermediates(image, intermediates_only=True)[-1]
        assert torch.equal(backbone(image)[-1], expected)


def test_weights_of_torchvision_load(tmp_path: Path) -> None:
    torch.manual_seed(5)
    whole = torchvision.models.resnet18().eval()
    path = tmp_path / "resnet18-f37072fd.pth"
    torch.save(whole.state_dict(), path)
    backbone = build_backbone("resnet18", output_stride=32, weights=str(path)).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        pooled = backbone(image)[-1].mean((2, 3))
        torch.testing.assert_close(whole.fc(pooled), whole(image))


@pytest.fixture(scope="module")
def released(golden_folder: Path) -> Callable[[str], dict[str, Tensor]]:
    """Names and shapes of an authors' checkpoint, without memory."""
    names = json.loads((golden_folder / "state_dict_keys.json").read_text())

    def read(network: str) -> dict[str, Tensor]:
        return {key: torch.empty(shape, device="meta") for key, shape in names[network]}

    return read


@pytest.mark.parametrize(
    ("checkpoint", "name", "left_out"),
    [
        ("psa_resnet38_cls", "wr38", "fc8"),
        ("psa_resnet38_aff", "wr38", "f8_3, f8_4, f8_5, f9"),
        ("seam_resnet38", "wr38", "f8_3, f8_4, f9, fc8"),
        ("cpn_resnet38", "wr38", "f10, f8_3, f8_4, f9, fc8"),
        ("psa_vgg16_cls", "vgg16_20m", "fc8"),
        ("psa_vgg16_aff", "vgg16_20m_d4", "f8_3, f8_4, f8_5, f9, gn8_3, gn8_4, gn8_5"),
        ("deeplabv1_resnet38_ywseg", "wr38", "bn_fov, bn_fov2, cls_conv, conv_fov, conv_fov2"),
        ("irn_resnet50_cam", "resnet50", "backbone, classifier, newly_added, stage1, stage2, stage3, stage4"),
        ("vwe_resnet50", "resnet50", "VWE, backbone, classifier, fc_a, fc_b, newly_added, stage1, .*"),
    ],
)
def test_released_checkpoints_load_into_backbones(
    checkpoint: str,
    name: str,
    left_out: str,
    released: Callable[[str], dict[str, Tensor]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = {f"module.{key}": value for key, value in released(checkpoint).items()}
    with torch.device("meta"):
        features = build_pyramid(name, sketch_pyramid(name).stride)
    with caplog.at_level("INFO", "weakseg"):
        load_state(features, state, "given.pth")
    assert re.fullmatch(
        rf"given.pth: {len(features.state_dict())} tensors loaded; left out: {left_out}", caplog.messages[0]
    )
    with pytest.raises(WeaksegError, match=r"given: none of the network's \d+ tensors is in it; give"):
        load_state(features, {"fc.weight": torch.empty(2, 2)}, "given")


def test_weights_of_another_network_name_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(WeaksegError, match=r"other.safetensors: \d+ of the network's \d+ tensors do not fit") as caught:
        build_backbone("test_efficientnet", weights=str(path))
    assert "\n" not in str(caught.value)


def test_one_tensor_of_another_shape_is_told() -> None:
    network = timm.create_model("test_resnet", features_only=True)
    state = dict(timm.create_model("test_resnet").state_dict())
    state["layer3.0.conv1.weight"] = torch.zeros(1)
    with pytest.raises(
        WeaksegError, match=r"given: 1 of .* 'layer3.0.conv1.weight' has shape \(1,\), not \(.*\); give"
    ):
        load_state(network, state, "given")
    del state["layer3.0.conv1.weight"]
    with pytest.raises(WeaksegError, match=r"given: 1 of .* 'layer3.0.conv1.weight' is missing"):
        load_state(network, state, "given")


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickles_that_run_code_are_refused(tmp_path: Path) -> None:
    path, trace = tmp_path / "bad.pth", tmp_path / "trace"
    torch.save({"state_dict": Exploit(trace)}, path)
    with pytest.raises(WeaksegError, match=r"bad.pth: not a file of plain tensors"):
        read_state(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage that is no archive", b"PK\x03\x04 half an archive"])
def test_damaged_files_are_told(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = (tmp_path / "damaged").with_suffix(suffix)
    path.write_bytes(content)
    with pytest.raises(WeaksegError, match=f"damaged{suffix}: .*not a file of plain tensors"):
        read_state(path)


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "short.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeaksegError, match=r"short.pth: not a file of plain tensors"):
        read_state(path)


def test_a_file_without_tensors_by_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "list.pt"
    torch.save([torch.zeros(2)], path)
    with pytest.raises(WeaksegError, match=r"list.pt: holds no state_dict but list"):
        read_state(path)


@pytest.mark.parametrize("weights", ["imagenet", "nowhere/weights.pth", "weights.npz"])
def test_unknown_sources_list_what_needs_no_file(weights: str) -> None:
    with pytest.raises(WeaksegError, match=rf"{weights}.*available without a file: packaged, hub, none"):
        build_backbone("test_resnet", weights=weights)


def test_the_hub_unreachable_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: object, **options: object) -> nn.Module:
        raise FileNotFoundError("cannot find the requested files in the local cache\nmore lines")

    network = timm.create_model("test_resnet", features_only=True)
    monkeypatch.setattr(timm, "create_model", unreachable)
    monkeypatch.setattr("weakseg.backbones.weights.reachable", lambda: False)
    match = r"'test_resnet' from the hub \(.*cannot be reached\); offline lay --with small.*backbone\.weights"
    with pytest.raises(WeaksegError, match=match) as told:
        load_weights(network, "test_resnet", "hub")
    assert "\n" not in str(told.value)


def test_nobody_waits_for_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object, **options: object) -> None:
        time.sleep(2)
        raise TimeoutError

    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("socket.create_connection", never)
    began = time.monotonic()
    assert not reachable(0.2)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a text file"),
    ],
)
def test_text_in_place_of_weights_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeaksegError, match=told):
        read_state(path)


def test_the_hub_is_asked_for_trained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = timm.create_model("test_resnet")
    network = timm.create_model("test_resnet", features_only=True)
    asked: list[tuple[str, object]] = []

    def hub(name: str, **options: object) -> nn.Module:
        asked.append((name, options.get("pretrained")))
        return stored

    monkeypatch.setattr(timm, "create_model", hub)
    load_weights(network, "test_resnet", "hub")
    assert asked == [("test_resnet", True)]
    assert all(torch.equal(value, stored.state_dict()[key]) for key, value in network.state_dict().items())
