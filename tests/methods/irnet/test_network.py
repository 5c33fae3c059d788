from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from golden_nets import fill, key_of_irn_boundaries
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.irnet.method import IRNetSettings
from weakseg.methods.irnet.network import IRNet, canvas_size, enlarged, pooled
from weakseg.training.optim import param_groups

Golden = Callable[[str], dict[str, NDArray[Any]]]


def small(name: str = "test_resnet", **options: Any) -> IRNet:
    torch.manual_seed(0)
    return IRNet(build_backbone(name, weights="none", **options), radius=4)


def test_published_network_as_released(golden: Golden) -> None:
    backbone = build_backbone("resnet50", output_stride=16, dilation=False, weights="none")
    net = IRNet(backbone).eval()
    fill(net, key_of_irn_boundaries)
    net.mean_shift.copy_(torch.tensor([0.3, -0.2]))
    data = {key: torch.from_numpy(value) for key, value in golden("full_irn_edge").items()}
    assert [len(list(net.edge.parameters())), len(net.new_parameters())] == data["n_group"].tolist()
    image = torch.from_numpy(golden("full_irn_cam")["x"])
    with torch.no_grad():
        logits, displacement = net(image)
        torch.testing.assert_close(logits, data["raw_edge"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(displacement, data["raw_dp"], rtol=1e-4, atol=1e-5)
        # The released inference: both views on a canvas, their parts of the result cut out again.
        height, width = image.shape[2:]
        canvas = F.pad(torch.cat([image, image.flip(-1)]), (0, 192 - width, 0, 192 - height))
        logits, displacement = (maps[..., :25, :33] for maps in net(canvas))
    boundary = torch.sigmoid(logits[0] / 2 + logits[1].flip(-1) / 2)
    torch.testing.assert_close(boundary, data["edge"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(displacement[0], data["dp"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test_resnet", {"output_stride": 8, "dilation": False}),
        ("test_efficientnet", {"output_stride": 32}),
        ("test_convnext", {"output_stride": 32}),
    ],
)
@pytest.mark.parametrize("size", [(64, 96), (75, 61), (40, 600)])
def test_any_backbone_and_size(name: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    net = small(name, **options).eval()
    with torch.no_grad():
        logits, displacement = net(torch.rand(1, 3, *size))
        boundary, shift = net.maps(torch.randint(0, 256, (3, *size), dtype=torch.uint8))
    grid = (-(-size[0] // 4), -(-size[1] // 4))
    assert (logits.shape, displacement.shape) == ((1, 1, *grid), (1, 2, *grid))
    assert (boundary.shape, shift.shape) == (grid, (2, *grid))
    assert 0 < boundary.min() < boundary.max() < 1


def test_only_the_branches_learn() -> None:
    net = small().train()
    assert not net.backbone.training
    assert net.edge.training
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels[:, 20:, 30:] = 200
    losses = net.losses(torch.rand(2, 3, 64, 64), labels)
    assert list(losses) == [
        "background",
        "foreground",
        "different",
        "displacement_background",
        "displacement_foreground",
    ]
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (*net.edge.parameters(), *net.displacement.parameters()))
    assert all(p.grad is None and not p.requires_grad for p in net.backbone.parameters())


def test_displacement_learns_ten_times_as_fast() -> None:
    net = small()
    groups = param_groups(net, net.new_parameters(), lr=0.1, new_lr_factor=10)
    found = {group["lr"]: {id(parameter) for parameter in group["params"]} for group in groups}
    assert found == {
        0.1: {id(parameter) for parameter in net.edge.parameters()},
        1.0: {id(parameter) for parameter in net.displacement.parameters()},
    }


def test_labels_are_sampled_as_released(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearest neighbour at a quarter of the size, as the released code shrinks its label pictures."""
    data = golden("irn_imutils")
    seen = []

    def keep(boundary: Any, displacement: Any, labels: torch.Tensor, radius: int) -> Any:
        seen.append(labels)
        raise InterruptedError

    monkeypatch.setattr("weakseg.methods.irnet.network.path_loss", keep)
    net, label = small(), torch.from_numpy(data["label"])[None, :32, :36]
    with pytest.raises(InterruptedError):
        net.losses(torch.rand(1, 3, 32, 36), label)
    assert torch.equal(seen[0], label[:, 2::4, 2::4])
    shrunk = F.interpolate(torch.from_numpy(data["label"])[None, None].float(), (8, 9), mode="nearest-exact")
    np.testing.assert_array_equal(shrunk[0, 0], data["label_down"])


def test_mean_shift_takes_the_mean_out() -> None:
    net = small()
    photos = [torch.randint(0, 256, (3, side, 80), dtype=torch.uint8) for side in (48, 65)]
    net.calibrate(photos)
    assert net.mean_shift.abs().min() > 0
    left = torch.stack([net.maps(photo)[1].mean(dim=(1, 2)) for photo in photos]).mean(dim=0)
    torch.testing.assert_close(left, torch.zeros(2), rtol=0, atol=1e-5)
    again = net.mean_shift.clone()
    net.calibrate(photos)
    assert torch.equal(net.mean_shift, again)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        raw, shifted = net.train()(images)[1], net.eval()(images)[1]
    torch.testing.assert_close(raw - shifted, net.mean_shift.view(1, 2, 1, 1).expand_as(raw))


def test_boundary_of_a_mirrored_photo_is_mirrored() -> None:
    net = small(output_stride=8, dilation=False).eval()
    photo = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    boundary, mirrored = net.maps(photo)[0], net.maps(photo.flip(-1))[0]
    torch.testing.assert_close(mirrored, boundary.flip(-1), rtol=1e-4, atol=1e-5)


def test_sizes_rounded_down_repeat_the_last_row() -> None:
    level = torch.arange(6.0).view(1, 1, 2, 3)
    found = enlarged(level, 8, 4, (19, 24))
    assert found.shape == (1, 1, 5, 6)
    assert torch.equal(found[..., 4, :], found[..., 3, :])


def test_levels_finer_than_the_maps_are_pooled() -> None:
    level = torch.rand(1, 2, 37, 64)
    assert pooled(level, 1).shape == (1, 2, 10, 16)
    assert torch.equal(pooled(level, 2), F.max_pool2d(level, 3, 2, 1))
    assert pooled(level, 4) is level


@pytest.mark.parametrize(
    ("size", "canvas", "expected"),
    [
        ((375, 500), 512, (512, 512)),
        ((375, 500), "photo", (384, 512)),
        ((513, 100), 512, (528, 512)),
        ((1, 1), "photo", (16, 16)),
        ((40, 40), 100, (112, 112)),
    ],
)
def test_a_canvas_holds_the_whole_photo(size: tuple[int, int], canvas: Any, expected: tuple[int, int]) -> None:
    assert canvas_size(size, canvas, 16) == expected


def test_photos_on_a_canvas_keep_their_size() -> None:
    torch.manual_seed(0)
    net = IRNet(build_backbone("test_resnet", weights="none"), canvas=128).eval()
    photos = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in ((61, 90), (200, 50))]
    for photo in photos:
        boundary, displacement = net.maps(photo)
        grid = (-(-photo.shape[1] // 4), -(-photo.shape[2] // 4))
        assert (boundary.shape, displacement.shape) == (grid, (2, *grid))
    boundary, _ = net.maps(photos[0])
    net.canvas = "photo"
    assert not torch.allclose(boundary, net.maps(photos[0])[0], atol=1e-3)


@pytest.mark.parametrize("canvas", [0, -512, 1.5, True, "photos", None])
def test_a_wrong_canvas_is_refused(canvas: Any) -> None:
    with pytest.raises(WeaksegError, match="canvas: must be photo or the side of the canvas in pixels"):
        IRNetSettings(canvas=canvas)
