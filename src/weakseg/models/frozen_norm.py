"""Batch normalisation that is not trained, without the memory that training would take.

With fixed statistics, weight and bias it is one factor and one summand per channel, whose gradient does not depend on
the input. torch keeps the input for the backward pass all the same: half of what an encoder of convolutions holds.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional as F


class _Frozen(torch.autograd.Function):
    """``F.batch_norm`` in evaluation mode of parameters without gradient; equal to it to the byte, on the CPU."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        ctx.norm = norm
        return F.batch_norm(images, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        norm: nn.BatchNorm2d = ctx.norm
        assert norm.running_var is not None
        # In this order and precision, as torch computes it.
        found = gradients[0] * _channels((norm.running_var.double() + norm.eps).rsqrt(), gradients[0])
        return (found if norm.weight is None else found * _channels(norm.weight, gradients[0])), None


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """A batch normalisation of torch, frozen."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (N, C, H, W) with the statistics that are kept."""
        return _Frozen.apply(images, self)  # type: ignore[no-any-return]


class FrozenBatchNormAct2d(BatchNormAct2d):
    """A batch normalisation of timm with the activation that follows it, frozen."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (N, C, H, W) with the statistics that are kept, and activate."""
        found: Tensor = self.act(self.drop(_Frozen.apply(images, self)))
        return found


_FROZEN: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: FrozenBatchNorm2d,
    BatchNormAct2d: FrozenBatchNormAct2d,
}


def freeze(norm: nn.Module) -> None:
    """Stop training a batch normalisation, in place; it keeps its parameters, statistics and names.

    Of kinds other than torch's and timm's usual ones only the parameters are fixed. Statistics stay fixed as long as
    it is in evaluation mode.
    """
    norm.requires_grad_(False)
    frozen = _FROZEN.get(type(norm))
    if frozen is not None and getattr(norm, "running_var", None) is not None:
        norm.__class__ = frozen


def _channels(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype)[:, None, None]
