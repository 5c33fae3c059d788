"""Every segmentation network as ONNX answers as torch does, on the packaged backbone and on one of another kind."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from weakseg.backbones.backbone import BackboneSettings
from weakseg.exporters.formats import onnx
from weakseg.exporters.formats.deployed import AnyPooling, Deployed
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS

QUICK = [("upernet", "tf_efficientnet_lite0"), ("deeplabv2", "test_resnet")]
"""Pyramid pooling and padding that depend on the size; several sizes at once."""
SIZES = [(1, 64, 64), (2, 33, 47), (1, 100, 131)]


CASES = [
    pytest.param(name, backbone, marks=[] if (name, backbone) in QUICK else pytest.mark.slow)
    for name in SEGMENTATION_NETWORKS.names()
    for backbone in ("tf_efficientnet_lite0", "test_resnet")
]


@pytest.mark.parametrize(("name", "backbone"), CASES)
@torch.no_grad()
def test_onnxruntime_equals_torch(name: str, backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    kind = SEGMENTATION_NETWORKS.get(name)
    narrow = dict.fromkeys({"decoder_channels", "width"} & {field.name for field in fields(kind.Settings)}, 16)
    network = kind.build(BackboneSettings(backbone, weights="none", dilation=False), 5, kind.Settings(**narrow)).eval()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (network.mean, network.std))
    photos = [np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    expected = [
        network((torch.from_numpy(each).permute(0, 3, 1, 2) / 255 - mean) / std).softmax(dim=1) for each in photos
    ]
    onnx._write(Deployed(network, flip=False), tmp_path / "n.onnx", {"names": "[]"})
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    for images, probabilities in zip(photos, expected, strict=True):
        found, labels = session.run(None, {"images": images})
        np.testing.assert_allclose(found, probabilities.numpy(), atol=1e-3)
        assert (labels == probabilities.argmax(dim=1).numpy()).mean() >= 0.999


@pytest.mark.parametrize("size", [(1, 2, 9, 14), (2, 1, 1, 3), (1, 3, 6, 6)])
@pytest.mark.parametrize("count", [2, 3, (6, 4)])
def test_pooling_by_matrices_is_adaptive_pooling(size: tuple[int, ...], count: int | tuple[int, int]) -> None:
    features, pooling = torch.randn(size), torch.nn.AdaptiveAvgPool2d(count)
    torch.testing.assert_close(AnyPooling(pooling)(features), pooling(features))
