"""Backbones: a network as a pyramid of feature maps, with what the methods need to know of it."""

from __future__ import annotations

import logging
import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from weakseg.backbones.pyramids import build_pyramid, channels_last, sketch_pyramid
from weakseg.backbones.surgery import BatchNormMode, by_batch, hold_batch_norm, remove_dilation, set_batch_norm
from weakseg.backbones.weights import load_weights
from weakseg.errors import WeaksegError
from weakseg.settings import PositiveInt, settings

logger = logging.getLogger("weakseg")


class Backbone(nn.Module):
    """A network that returns its levels, finest first.

    Args:
        features: a timm network made with ``features_only``, or one that describes itself in the same way.
        batch_norm: what of the batch normalisation is trained, see `set_batch_norm`.
        cell: images are padded with zeros (the mean colour) at the right and at the bottom to multiples of it.
        recompute: keep only what passes between the stages of a timm network for the backward pass, and compute the
            rest again: much less memory, a longer training step, the same gradients. Networks that
            cannot, or whose batch statistics would be counted twice, keep all, and the log says so.

    Attributes:
        channels: of every level.
        strides: of every level; the last is the output stride.
        mean: and ``std``: the normalisation of RGB in [0, 1] that the network was trained with.
    """

    def __init__(
        self, features: nn.Module, batch_norm: BatchNormMode = "frozen", *, cell: int = 1, recompute: bool = False
    ) -> None:
        super().__init__()
        # Batch statistics would be counted twice.
        self.recompute = recompute and not by_batch(batch_norm) and hasattr(features, "set_grad_checkpointing")
        if recompute and not self.recompute:
            logger.info("recompute: %s keeps everything, it cannot compute again", type(features).__name__)
        self.features = features
        self.batch_norm = batch_norm
        self.cell = cell
        info: Any = features.feature_info
        config: Any = features.pretrained_cfg
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        self.mean: tuple[float, float, float] = tuple(config["mean"])
        self.std: tuple[float, float, float] = tuple(config["std"])
        self._input_size: tuple[int, int, int] = tuple(config["input_size"])
        self._channels_last = channels_last(features)
        set_batch_norm(features, batch_norm)
        self.train()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N, 3, H, W) -> level i as (N, channels[i], ⌈H / strides[i]⌉, ⌈W / strides[i]⌉).

        Old networks whose convolutions leave out the border (Inception, Xception) give a little less, Caffe's ResNets a
        row or column more where a side is even at stride 2.
        """
        if self.cell == 1:
            return self._levels(images)
        height, width = images.shape[-2:]
        levels = self._levels(F.pad(images, (0, -width % self.cell, 0, -height % self.cell)))
        # ONNX divides towards zero, so no negative number here.
        sizes = [((height + stride - 1) // stride, (width + stride - 1) // stride) for stride in self.strides]
        return [level[..., :rows, :columns] for level, (rows, columns) in zip(levels, sizes, strict=True)]

    def _levels(self, images: Tensor) -> list[Tensor]:
        levels: list[Tensor] = self.features(images)
        return [level.permute(0, 3, 1, 2) for level in levels] if self._channels_last else levels

    def train(self, mode: bool = True) -> Self:
        """Set training mode; batch normalisation with frozen statistics stays in evaluation mode."""
        super().train(mode)
        hold_batch_norm(self, self.batch_norm)
        if self.recompute:
            features: Any = self.features
            features.set_grad_checkpointing(mode)
        return self

    def freeze_levels(self, count: int) -> None:
        """Stop training the ``count`` finest levels: all parameters that these depend on.

        Equal to detaching the output of the level, as IRNet does after layer2 (count = 3 for a ResNet), but
        without the memory for gradients that nobody uses.

        Raises:
            WeaksegError: there are not so many levels.
        """
        if not 0 <= count <= len(self.channels):
            raise WeaksegError(f"frozen_levels must be 0 to {len(self.channels)} for this backbone, not {count}")
        if count == 0:
            return
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        for parameter, reached in zip(parameters, self._reach(count - 1), strict=True):
            parameter.requires_grad_(not reached)

    def _reach(self, level: int) -> list[bool]:
        """Which of the trained parameters a level depends on, found without memory, on the meta device."""
        mode = self.training
        tensors = [*self.named_parameters(), *self.named_buffers()]
        state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}
        trained = [name for name, parameter in self.named_parameters() if parameter.requires_grad]
        inputs = [state[name].requires_grad_() for name in trained]
        image = torch.empty(1, *self._input_size, device="meta")
        output = functional_call(self.eval(), state, image)[level]
        self.train(mode)
        if not output.requires_grad:
            return [False] * len(inputs)
        gradients = torch.autograd.grad(output, inputs, torch.empty_like(output), allow_unused=True)
        return [gradient is not None for gradient in gradients]


@settings
class BackboneSettings:
    """A timm network, or one of `weakseg.backbones.pyramids.OWN`."""

    name: str = "tf_efficientnet_lite0"
    """Any timm network that can return feature maps for images of any size, with or without the tag of its weights; or
    wr38, vgg16_20m, vgg16_20m_d4, vgg16_20m_d12, resnet50_caffe, resnet101_caffe."""
    output_stride: PositiveInt = 16
    """Stride of the coarsest level, 8, 16 or 32. Networks that cannot change theirs (transformers, VGG, WR38) take only
    the one that they have, whatever it is."""
    dilation: bool = True
    """Whether dilation makes up for removed strides. Without it strides are removed and nothing else."""
    batch_norm: BatchNormMode = "frozen"
    """What of the batch normalisation is trained: nothing ("frozen"), weight and bias ("affine"), the statistics alone
    ("statistics"), all ("train")."""
    weights: str = "packaged"
    """"packaged" (tf_efficientnet_lite0 alone), "hub" (timm's, from the internet), "none", or a file."""
    recompute: bool = False
    """Keep less for the backward pass and compute it again: less memory, more time, the same gradients."""

    def build(self, *, pretrained: bool = True) -> Backbone:
        """The backbone.

        Without weights the initialisation draws from torch's global generator: seed it.

        Args:
            pretrained: load ``weights``; False where a trained state is loaded afterwards anyway.

        Raises:
            WeaksegError: a name, stride or weights that do not exist or do not fit each other.
        """
        sketch = sketch_pyramid(self.name)
        features = build_pyramid(self.name, self.output_stride)
        if not self.dilation:
            remove_dilation(features, sketch.network)
        load_weights(features, self.name, self.weights if pretrained else "none")
        cell = math.lcm(*features.feature_info.reduction()) if sketch.whole_cells else 1
        return Backbone(features, self.batch_norm, cell=cell, recompute=self.recompute)


def build_backbone(name: str, **options: Any) -> Backbone:
    """Build a backbone with its weights: ``BackboneSettings(name, ...).build()``.

    Raises:
        WeaksegError: see `BackboneSettings.build`.
        ValueError: no such option, or not that value of it.
    """
    return BackboneSettings(name, **options).build()
