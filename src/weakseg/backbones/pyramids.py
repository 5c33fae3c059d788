"""Networks by name that return a pyramid of feature maps: timm's, and those that timm does not have."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import timm
import torch
from torch import nn

from weakseg.backbones.caffe_resnet import CaffeResNet
from weakseg.backbones.vgg16 import VGG16
from weakseg.backbones.wr38 import WR38
from weakseg.errors import WeaksegError, one_of

OUTPUT_STRIDES = (8, 16, 32)
OWN: dict[str, Callable[..., nn.Module]] = {
    "wr38": WR38,
    "vgg16_20m": VGG16,
    "vgg16_20m_d4": partial(VGG16, fc6_dilation=4),
    "vgg16_20m_d12": partial(VGG16, fc6_dilation=12),
    "resnet50_caffe": partial(CaffeResNet, (3, 4, 6, 3)),
    "resnet101_caffe": partial(CaffeResNet, (3, 4, 23, 3)),
}
"""The networks of AffinityNet, SEAM and CPN; fc6 of VGG16 has dilation 1 for CAMs, 4 for affinities and 12 for
DeepLab-LargeFOV. Caffe's ResNets are those of DeepLabV2."""

# How timm's transformers are told to take other image sizes than their own.
_ANY_SIZE: tuple[dict[str, Any], ...] = ({}, {"dynamic_img_size": True}, {"strict_img_size": False})
_UNFIT = (AssertionError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Sketch:
    """A network by nature, without memory (on the meta device).

    Attributes:
        network: to be looked at, not to be changed.
        options: what timm must be told for images of any size.
        whole_cells: whether images must be padded to multiples of its strides: others it refuses, or rounds down.
    """

    network: Any
    options: dict[str, Any]
    whole_cells: bool

    @property
    def stride(self) -> int:
        """Stride of the coarsest level."""
        stride: int = self.network.feature_info.reduction()[-1]
        return stride


@cache
def sketch_pyramid(name: str) -> Sketch:
    """Look at a network by name.

    Raises:
        WeaksegError: there is no such network, it has no feature maps, or cannot take images of any size.
    """
    if name not in OWN and not timm.is_model(name):
        similar = difflib.get_close_matches(name, [*OWN, *timm.list_models()], n=5, cutoff=0.5)
        raise one_of("backbone", name, similar or [*OWN, "any name of timm.list_models()"])
    try:
        natural = _on_meta(name, {})
    except (RuntimeError, AttributeError) as error:
        raise WeaksegError(f"backbone {name!r}: timm cannot make it return feature maps ({error})") from error
    for options in _ANY_SIZE:
        try:
            network = _on_meta(name, options) if options else natural
        except _UNFIT:
            continue
        for extra in (1, 0):
            if _takes(network, extra):
                return Sketch(network, options, whole_cells=extra == 0)
    height, width = natural.pretrained_cfg["input_size"][1:]
    raise WeaksegError(
        f"backbone {name!r} cannot take images of any size, only of {height} x {width}; use one that can (resnet50, "
        "vit_tiny_patch16_224)"
    )


def build_pyramid(name: str, output_stride: int) -> Any:
    """Build a network whose coarsest level has a stride.

    Raises:
        WeaksegError: as `sketch_pyramid`, or the network cannot have that stride.
    """
    sketch = sketch_pyramid(name)
    if output_stride not in (sketch.stride, *OUTPUT_STRIDES):
        raise one_of("output_stride", str(output_stride), OUTPUT_STRIDES)
    changed = {} if output_stride == sketch.stride else {"output_stride": output_stride}
    try:
        network = _create(name, sketch.options | changed)
        reached = network.feature_info.reduction()[-1] == output_stride
    except (AssertionError, NotImplementedError, TypeError, ValueError):
        reached = False
    if not reached:
        raise WeaksegError(
            f"backbone {name!r} cannot have output_stride {output_stride}; use {sketch.stride}, or another network "
            "(resnet50)"
        )
    return network


def channels_last(network: Any) -> bool:
    """Whether the levels of a network are (N, h, w, C)."""
    return getattr(network, "output_fmt", "NCHW") == "NHWC"


@torch.no_grad()
def _takes(network: Any, extra: int) -> bool:
    """Whether a network on the meta device takes images of other sizes than its own and gives all of their levels.

    Args:
        network: in evaluation mode.
        extra: pixels more than whole cells; where it is 0, levels may be smaller than the image asks for.
    """
    strides = network.feature_info.reduction()
    cell = math.lcm(*strides)
    sides = network.pretrained_cfg["input_size"][1:]
    height, width = ((side // cell + 1 + more) * cell + extra for more, side in enumerate(sides))
    try:
        levels = network(torch.empty(1, 3, height, width, device="meta"))
    except _UNFIT:
        return False
    axes = slice(1, 3) if channels_last(network) else slice(2, 4)
    found = [tuple(level.shape[axes]) for level in levels]
    return extra == 0 or found == [(-(-height // stride), -(-width // stride)) for stride in strides]


def _on_meta(name: str, options: dict[str, Any]) -> Any:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return _create(name, options).eval()


def _create(name: str, options: dict[str, Any]) -> Any:
    if name in OWN:
        return OWN[name](**options)
    return timm.create_model(name, features_only=True, **options)
