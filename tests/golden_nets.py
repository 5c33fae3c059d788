"""Weights of the full-size golden networks: they are made from the tensors' names, as tests/golden/README.md says."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


def filling(key: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor that stood under ``key`` in a golden network."""
    random = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF)
    if key.endswith("running_var"):
        values = 1 + 0.1 * random.rand(*shape)
    elif len(shape) > 1:
        values = random.randn(*shape) / np.sqrt(np.prod(shape[1:]))
    else:
        values = 0.1 * random.randn(*shape) + (1 if key.endswith("weight") else 0)
    return torch.from_numpy(values.astype(np.float32))


def fill(model: nn.Module, key_of: Callable[[str], str]) -> None:
    """Fill a model in place.

    Args:
        model: its counters (tensors that are not floating point) stay as they are.
        key_of: name of a tensor of the model -> its key in the golden network; the last one where it had several.
    """
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(filling(key_of(name), tuple(value.shape)))


IRN_PREFIXES = {
    "edge.reduce.": "edge_layers.",
    "edge.join.": "edge_layers.5.",
    "displacement.reduce.": "dp_layers.",
    "displacement.join_coarse.": "dp_layers.5.",
    "displacement.join.": "dp_layers.6.",
    "displacement.point.": "dp_layers.6.3.",
    "backbone.features.conv1.": "backbone.0.0.",
    "backbone.features.bn1.": "backbone.0.1.",
    **{f"backbone.features.layer{n}.": f"backbone.{n}.0." for n in range(1, 5)},
    "mean_shift": "dp_layers.6.4.running_mean",
}


def key_of_irn_boundaries(name: str) -> str:
    """The name that decides a tensor's filling in the golden network of IRNet's boundaries."""
    prefix = next(prefix for prefix in IRN_PREFIXES if name.startswith(prefix))
    return IRN_PREFIXES[prefix] + name.removeprefix(prefix)


def key_of_irn_cam(name: str) -> str:
    """The name that decides a tensor's filling in the golden ResNet50 of IRNet's maps."""
    if name == "classifier.weight":
        return "newly_added.0.weight"
    part, _, rest = name.removeprefix("backbone.features.").partition(".")
    first = {"conv1": "0.0", "bn1": "0.1", "layer1": "0.4"}
    return f"backbone.{first.get(part, f'{int(part[-1]) - 1}.0')}.{rest}"


def stat(values: Tensor) -> list[float]:
    """The numbers that golden files keep of a large tensor, as ``*_stat``.

    Mean, standard deviation, largest absolute value, and the sum of every n-th value. What n is the files do not say:
    of the divisors that give it from the number of values, only 997 and 998 fit them all.
    """
    flat = values.double().flatten()
    return torch.stack([flat.mean(), flat.std(), flat.abs().max(), flat[:: len(flat) // 997].sum()]).tolist()
