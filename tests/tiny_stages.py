"""The backbone of the golden files made with "tiny stages": 3x3 convolutions with ReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.methods.sipe.hierarchy import HierarchicalFeatures
from weakseg.methods.sipe.sipe import Sipe

SIDES = (4, 4, 6, 6)


class TinyStages(nn.Module):
    """A pyramid; by default the five levels of SIPE's ResNet50."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, channels: Sequence[int] = (6, 8, 10, 12, 14), steps: Sequence[int] = (4, 1, 2, 2, 1)) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.strides = tuple(math.prod(steps[: level + 1]) for level in range(len(steps)))
        layers = zip((3, *channels), channels, steps, strict=False)
        self.stages = nn.ModuleList(nn.Conv2d(before, after, 3, step, 1) for before, after, step in layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = []
        for stage in self.stages:
            levels.append(images := F.relu(stage(images)))
        return levels

    def freeze_levels(self, count: int) -> None:
        self.stages[:count].requires_grad_(False)


def golden_sipe(method: type[Sipe], arrays: dict[str, NDArray[Any]], **options: Any) -> tuple[Sipe, dict[str, str]]:
    """SIPE or AE-SIPE with the weights of a golden file, and the file's name for each parameter ("stage4_c_weight")."""
    backbone = TinyStages()
    model = method(backbone, 4, method.Settings(frozen_levels=3, **options))  # type: ignore[arg-type]
    model.hierarchy = HierarchicalFeatures(backbone.channels, SIDES)
    names = {"classifier.weight": "classifier_weight"}
    names |= {f"backbone.stages.{i}.{kind}": f"stage{i}_c_{kind}" for i in range(5) for kind in ("weight", "bias")}
    names |= {f"hierarchy.sides.{i}.weight": f"side{i + 1}_weight" for i in range(4)}
    model.load_state_dict({name: torch.from_numpy(arrays[key.replace("_", "__")]) for name, key in names.items()})
    return model, names


def check_gradients(model: nn.Module, names: dict[str, str], arrays: dict[str, NDArray[Any]]) -> None:
    """Every parameter has the gradient of the golden file, and none where the file has none."""
    for name, parameter in model.named_parameters():
        key = f"grad_{names[name]}"
        assert (parameter.grad is not None) == (key in arrays), name
        if parameter.grad is not None:
            np.testing.assert_allclose(parameter.grad, arrays[key], rtol=1e-4, atol=1e-6, err_msg=name)


def full_size_valid(arrays: dict[str, NDArray[Any]]) -> Tensor:
    """The guide "valid" (N, H, W) whose sixteenth is the golden mask."""
    inside = torch.from_numpy(arrays["valid_mask_lowres"][:, 0])
    return inside.repeat_interleave(16, 1).repeat_interleave(16, 2).long()
