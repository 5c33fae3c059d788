"""VWE and VWL with the weights of the golden files made with "tiny stages": four 3x3 convolutions with ReLU."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.models.cams.vwe import VWE

STRIDES = (4, 2, 2, 1)
NAMES = {
    "classifier.weight": "classifier_weight",
    "words.codebook": "VWE_centroid",
    "words.head.weight": "fc_a_weight",
    "words_of_features.weight": "fc_b_weight",
} | {f"backbone.stages.{i}.{kind}": f"stage{i + 1}_c_{kind}" for i in range(4) for kind in ("weight", "bias")}
"""Name of a parameter -> its name in the files' gradients; in their weights with two underscores."""


class FourStages(nn.Module):
    """A pyramid of four levels."""

    channels = (6, 8, 10, 14)
    strides = (4, 8, 16, 16)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((3, *self.channels), self.channels, STRIDES, strict=False)
        self.stages = nn.ModuleList(nn.Conv2d(before, after, 3, stride, 1) for before, after, stride in pairs)

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = []
        for stage in self.stages:
            levels.append(images := F.relu(stage(images)))
        return levels

    def freeze_levels(self, count: int) -> None:
        self.stages[:count].requires_grad_(False)


def golden_vwe(arrays: dict[str, NDArray[Any]], **options: Any) -> VWE:
    """VWE of five classes and twelve words, with the weights that the file has."""
    model = VWE(FourStages(), 5, k=12, **options)  # type: ignore[arg-type]
    state = model.state_dict()
    for name, key in NAMES.items():
        spelled = key if "fc_" in key else key.replace("_", "__")
        spelled = spelled.replace("fc_a_", "fc_a__").replace("fc_b_", "fc_b__")
        if name in state and spelled in arrays:
            state[name] = torch.from_numpy(arrays[spelled]).view_as(state[name])
    model.load_state_dict(state)
    return model
