from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden_nets import fill
from weakseg.backbones.backbone import Backbone, build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.cpn.cpn import Cpn
from weakseg.methods.seam.consistency import resized
from weakseg.methods.seam.correlation import region_attention
from weakseg.methods.seam.pcm import ContextCam, ContextModule
from weakseg.methods.seam.seam import Seam
from weakseg.training.optim import param_groups

Golden = Callable[[str], dict[str, NDArray[Any]]]


class Given(nn.Module):
    """A backbone that has seen the photo already."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, *levels: Tensor) -> None:
        super().__init__()
        self.levels = levels
        self.channels = tuple(level.shape[1] for level in levels)
        self.strides = (8,) * len(levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.levels)

    def freeze_levels(self, count: int) -> None:
        assert count == 0


def golden_cam(data: dict[str, Tensor], method: Callable[..., ContextCam], n_classes: int = 20) -> ContextCam:
    cam = method(Given(data["conv4"], data["conv5"], data["conv6"]), n_classes)
    regions = "f10__weight" in data
    cam.context = ContextModule((8, 10), regions=regions, widths=(4, 6), embedding=9)
    named = {"classifier": "fc8", "context.reduce.0": "f8_3", "context.reduce.1": "f8_4", "context.pixels": "f9"}
    if regions:
        named["context.regions"] = "f10"
    cam.load_state_dict({f"{name}.weight": data[f"{key}__weight"] for name, key in named.items()})
    return cam.eval()


@pytest.mark.parametrize(("name", "method"), [("seam_forward", Seam), ("cpn_forward", Cpn)])
def test_the_network_and_its_gradients_are_those_of_the_released_code(
    name: str, method: Callable[..., ContextCam], golden: Golden
) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden(name).items()}
    cam = golden_cam(data, method)
    view = cam.view(data["x"])
    assert view.revised is not None
    maps, revised = resized(view.maps, view.size), resized(view.revised, view.size)
    torch.testing.assert_close(maps, data["cam"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(revised, data["cam_rv"], rtol=1e-5, atol=1e-6)
    (maps.square().sum() + revised.square().sum()).backward()
    gradients = {
        "fc8": cam.classifier.weight.grad,
        "f8_3": cam.context.reduce[0].weight.grad,
        "f8_4": cam.context.reduce[1].weight.grad,
        "f9": cam.context.pixels.weight.grad,
    }
    for key, gradient in gradients.items():
        if f"grad_{key}_weight" in data:
            torch.testing.assert_close(gradient, data[f"grad_{key}_weight"], rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def wr38() -> Backbone:
    backbone = build_backbone("wr38", output_stride=8, weights="none")
    fill(backbone, lambda name: name.removeprefix("features."))
    return backbone


@pytest.mark.parametrize(("name", "method"), [("full_seam", Seam), ("full_cpn", Cpn)])
def test_the_full_network_is_that_of_the_released_code(
    name: str, method: Callable[..., ContextCam], wr38: Backbone, golden: Golden
) -> None:
    data = golden(name)
    cam = method(wr38, 20, method.Settings(frozen_levels=1)).eval()
    fill(cam.classifier, lambda name: f"fc8.{name}")
    keys = {"reduce.0": "f8_3", "reduce.1": "f8_4", "pixels": "f9", "regions": "f10"}
    fill(cam.context, lambda name: f"{keys[name.removesuffix('.weight')]}.weight")
    with torch.no_grad():
        view = cam.view(torch.from_numpy(data["x"]))
    for maps, key in ((view.maps, "cam"), (view.revised, "cam_rv")):
        np.testing.assert_allclose(resized(maps, view.size), data[key], rtol=1e-4, atol=1e-5)
    groups = param_groups(cam, cam.new_parameters(), lr=0.01, double_bias=True)
    counts = [[len(group["params"]), sum(value.numel() for value in group["params"])] for group in groups]
    assert counts == [pair for pair in data["n_group"].tolist() if pair[0]]


def test_revised_maps_train_the_module_alone() -> None:
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    cam = Cpn(backbone, 3, Cpn.Settings(dropout=0.0))
    cam.view(torch.randn(1, 3, 64, 64)).revised.square().sum().backward()
    trained = {name for name, value in cam.named_parameters() if value.grad is not None}
    assert trained == {f"context.{name}.weight" for name in ("reduce.0", "reduce.1", "pixels", "regions")}


def test_half_precision_revises_alike() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    cam, images = Cpn(backbone, 3).eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        full = cam.view(images)
        with torch.autocast("cpu", dtype=torch.float16):
            half = cam.view(images)
    assert half.maps.dtype == half.revised.dtype == torch.float32
    torch.testing.assert_close(half.revised, full.revised, rtol=0.05, atol=0.01)


def test_logits_are_the_mean_of_the_enlarged_map() -> None:
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    images = torch.randn(2, 3, 64, 80)
    for stride in (1, 8):
        cam = Seam(backbone, 3, Seam.Settings(loss_stride=stride)).eval()
        view = cam.view(images)
        assert view.size == (64 // stride, 80 // stride)
        torch.testing.assert_close(cam.logits(images), resized(view.maps, view.size)[:, 1:].mean((2, 3)))


@pytest.mark.parametrize("context", ["none", "pcm", "prcm", "prcm_paper"])
def test_maps_of_a_view_have_its_size_and_only_classes(context: str) -> None:
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    cam = Seam(backbone, 3, Seam.Settings(context=context)).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        view = cam.view(image)
        maps = cam.scale_maps(image, torch.ones(3))
    expected = view.maps if context == "none" else view.revised
    assert maps.shape == (3, 64, 96)
    torch.testing.assert_close(maps[:, 0, 0], expected[0, 1:, 0, 0])
    torch.testing.assert_close(maps[:, -1, -1], expected[0, 1:, -1, -1])
    merged = cam.merge(maps)
    assert 0 <= merged.min() <= merged.max() < 1


def test_keys_of_regions_are_mixed_as_released_or_kept_apart() -> None:
    """Regions of equal evidence have equal keys; only mixed ones attend differently."""
    maps = torch.rand(1, 1, 6, 7).expand(1, 4, 6, 7)
    levels, images = [torch.randn(1, 8, 6, 7), torch.randn(1, 10, 6, 7)], torch.randn(1, 3, 48, 56)
    for mixed in (True, False):
        module = ContextModule((8, 10), regions=True, as_released=mixed, widths=(4, 6), embedding=9)
        classes = module(maps, levels, images)[0, 1:]
        assert torch.allclose(classes[0], classes[1], rtol=1e-5, atol=1e-6) != mixed


@pytest.mark.parametrize("released", [True, False])
def test_the_released_code_compares_regions_with_pixels_as_pcm_sees_them(
    released: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def attention(keys: Tensor, queries: Tensor) -> Tensor:
        seen.append(queries)
        return region_attention(keys, queries)

    monkeypatch.setattr("weakseg.methods.seam.pcm.region_attention", attention)
    maps, levels = torch.rand(1, 4, 6, 7), [torch.randn(1, 8, 6, 7), torch.randn(1, 10, 6, 7)]
    images = torch.randn(1, 3, 48, 56)
    module = ContextModule((8, 10), regions=True, as_released=released, widths=(4, 6), embedding=9)
    module(maps, levels, images)
    nn.init.normal_(module.pixels.weight)
    module(maps, levels, images)
    assert torch.equal(*seen) != released


@pytest.mark.parametrize("seed", range(5))
def test_unit_features_keep_large_activations_from_single_pixels(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(seed)
    maps = torch.rand(1, 4, 6, 7)
    levels, images = [200 * torch.rand(1, 8, 6, 7), 200 * torch.rand(1, 10, 6, 7)], torch.randn(1, 3, 48, 56)
    peaks: list[Tensor] = []

    def attention(keys: Tensor, queries: Tensor) -> Tensor:
        found = region_attention(keys, queries)
        peaks.append(found.amax(dim=(2, 3)))  # of 1 in all per region
        return found

    monkeypatch.setattr("weakseg.methods.seam.pcm.region_attention", attention)
    module = ContextModule((8, 10), regions=True, widths=(4, 6), embedding=9)
    for module.unit_features in (False, True):
        module(maps, levels, images)
    assert peaks[0].median() > 0.9
    assert peaks[1].max() < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_pixels_alone_do_not_mind_the_length_of_features(seed: int) -> None:
    torch.manual_seed(seed)
    maps, levels = torch.rand(2, 4, 6, 7), [torch.randn(2, 8, 6, 7), torch.randn(2, 10, 6, 7)]
    module = ContextModule((8, 10), widths=(4, 6), embedding=9)
    before = module(maps, levels, torch.randn(2, 3, 48, 56, generator=torch.Generator().manual_seed(seed)))
    module.unit_features = True
    after = module(maps, levels, torch.randn(2, 3, 48, 56, generator=torch.Generator().manual_seed(seed)))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_merging_is_that_of_seam(golden: Golden) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden("seam_cam_merge").items()}
    backbone = build_backbone("test_resnet", weights="none", output_stride=16)
    merged = Seam(backbone, 20).merge(data["cams"].sum(0))
    present = data["label"] > 0
    torch.testing.assert_close(merged[present], data["norm_cam"][present].clamp(min=0), rtol=1e-5, atol=1e-6)


def test_mistakes_are_told_in_one_line() -> None:
    flat = Given(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 4, 4))
    with pytest.raises(WeaksegError, match="context 'pcm' needs a backbone of three levels, this one has 2; take"):
        Seam(flat, 3)
    assert Seam(flat, 3, Seam.Settings(context="none")).context is None
    deep = Given(*[torch.zeros(1, 8, 4, 4)] * 3)
    with pytest.raises(WeaksegError, match="unknown context 'both'; available: none, pcm, prcm, prcm_paper"):
        Seam(deep, 3, Seam.Settings(context="both"))
    for options, message in (
        ({"loss_stride": 0}, "loss_stride: input should be greater than or equal to 1, not 0"),
        ({"hard_share": 0.0}, "hard_share: input should be greater than 0, not 0.0"),
        ({"scale": 1.0}, "scale: input should be less than 1, not 1.0"),
    ):
        with pytest.raises(WeaksegError, match=message):
            Seam(deep, 3, Seam.Settings(**options))
