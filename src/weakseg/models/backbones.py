"""Backbones: any timm network as a pyramid of feature maps."""

from __future__ import annotations

import difflib
from typing import Any, Self, cast

import timm
import torch
from torch import Tensor, nn

from weakseg.errors import WeaksegError, one_of
from weakseg.models.surgery import BatchNormMode, hold_batch_norm, remove_dilation, set_batch_norm
from weakseg.models.weights import load_weights

OUTPUT_STRIDES = (8, 16, 32)


class Backbone(nn.Module):
    """A timm network that returns its levels, finest first.

    Attributes:
        features: the timm network, made with ``features_only``.
        batch_norm: what of the batch normalisation is trained, see `set_batch_norm`.
        channels: of every level.
        strides: of every level; the last is the output stride.
        mean: and ``std``: the normalisation of RGB in [0, 1] that the network was trained with.
    """

    def __init__(self, features: nn.Module, batch_norm: BatchNormMode = "frozen") -> None:
        super().__init__()
        self.features = features
        self.batch_norm = batch_norm
        info: Any = features.feature_info
        config: Any = features.pretrained_cfg
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        self.mean: tuple[float, float, float] = tuple(config["mean"])
        self.std: tuple[float, float, float] = tuple(config["std"])
        self._input_size: tuple[int, int, int] = tuple(config["input_size"])
        self._channels_last = getattr(features, "output_fmt", "NCHW") == "NHWC"
        set_batch_norm(features, batch_norm)
        self.train()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N, 3, H, W) -> level i as (N, channels[i], ~H / strides[i], ~W / strides[i])."""
        levels: list[Tensor] = self.features(images)
        return [level.permute(0, 3, 1, 2) for level in levels] if self._channels_last else levels

    def train(self, mode: bool = True) -> Self:
        """Set training mode; batch normalisation with frozen statistics stays in evaluation mode."""
        super().train(mode)
        hold_batch_norm(self, self.batch_norm)
        return self

    def freeze_levels(self, count: int) -> None:
        """Stop training the ``count`` finest levels: all parameters that these depend on.

        Equal to detaching the output of the level, as IRNet does after layer2 (SPEC 1.2; count = 3 for a ResNet), but
        without the memory for gradients that nobody uses.

        Raises:
            WeaksegError: there are not so many levels.
        """
        if not 0 <= count <= len(self.channels):
            raise WeaksegError(f"frozen_levels must be 0 to {len(self.channels)} for this backbone, not {count}")
        if count == 0:
            return
        mode = self.training
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        probe = self.eval()(torch.zeros(1, *self._input_size, device=parameters[0].device))[count - 1]
        gradients = torch.autograd.grad(probe.sum(), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is None)
        self.train(mode)


def build_backbone(
    name: str,
    *,
    output_stride: int = 16,
    dilation: bool = True,
    batch_norm: BatchNormMode = "frozen",
    weights: str = "packaged",
) -> Backbone:
    """Build a backbone.

    Args:
        name: any timm network that can return feature maps, with or without the tag of its weights.
        output_stride: stride of the coarsest level, 8, 16 or 32. Networks that cannot change theirs (transformers,
            VGG) take only the one that they have.
        dilation: whether dilation makes up for removed strides. Without it strides are removed and nothing else
            (SPEC 0.6).
        batch_norm: "frozen" (statistics, weight and bias fixed), "affine" (statistics fixed) or "train" (SPEC 0.5).
        weights: "packaged", "hub", "none" or a file, see `load_weights`. Without weights the initialisation draws
            from torch's global generator: seed it.

    Raises:
        WeaksegError: a name, stride, mode or weights that do not exist or do not fit each other.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise one_of("output_stride", str(output_stride), OUTPUT_STRIDES)
    natural = _natural(name)
    features = _with_stride(name, output_stride, natural.feature_info.reduction()[-1])
    if not dilation:
        remove_dilation(features, natural)
    load_weights(features, name, weights)
    return Backbone(features, batch_norm)


def _natural(name: str) -> Any:
    """The network as timm makes it, without memory: on the meta device."""
    if not timm.is_model(name):
        similar = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.5)
        raise one_of("backbone", name, similar or ["any name of timm.list_models()"])
    try:
        with torch.device("meta"):
            return timm.create_model(name, features_only=True)
    except (RuntimeError, AttributeError) as error:
        raise WeaksegError(f"backbone {name!r}: timm cannot make it return feature maps ({error})") from error


def _with_stride(name: str, output_stride: int, natural: int) -> nn.Module:
    options: dict[str, Any] = {} if output_stride == natural else {"output_stride": output_stride}
    try:
        network: Any = timm.create_model(name, features_only=True, **options)
    except (AssertionError, NotImplementedError, TypeError, ValueError) as error:
        raise _no_stride(name, output_stride, natural) from error
    if network.feature_info.reduction()[-1] != output_stride:
        raise _no_stride(name, output_stride, natural)
    return cast(nn.Module, network)


def _no_stride(name: str, output_stride: int, natural: int) -> WeaksegError:
    return WeaksegError(
        f"backbone {name!r} cannot have output_stride {output_stride}; use {natural}, or another network (resnet50)"
    )
