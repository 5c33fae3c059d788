"""L1 distance of all pairs of a feature map, differentiable, without holding the differences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from weakseg.ops.pairs import Border, pair_offsets, pair_windows


def pair_distance(features: Tensor, radius: int, border: Border = "all") -> Tensor:
    """L1 distance sum_c |f_i - f_j| of all pairs, with gradient (sign(0) = 0).

    Backward takes the differences again instead of storing them: the extra memory is that of the features.
    On the CPU both directions are compiled loops, elsewhere one tensor operation per offset.

    Args:
        features: (N, C, h, w), any floating type.
        radius: pair radius in map pixels.
        border: which pairs exist.

    Returns:
        float32 stencil (N, n, h, w), 0 where a pair does not exist.

    Raises:
        ValueError: the map is too small for ``border="crop"``.
    """
    distance: Tensor = _PairDistance.apply(features.float(), radius, border)
    return distance


class _PairDistance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, radius: int, border: Border) -> Tensor:
        ctx.save_for_backward(features)
        ctx.pairs = radius, border
        forward = _distances_cpu if features.device.type == "cpu" else distances
        return forward(features, radius, border)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (features,) = ctx.saved_tensors
        backward = _distances_backward_cpu if features.device.type == "cpu" else distances_backward
        return backward(features, gradients[0], *ctx.pairs), None, None


def distances(features: Tensor, radius: int, border: Border) -> Tensor:
    """`pair_distance` in tensor operations, for any device; not differentiable."""
    batch, _, height, width = features.shape
    result = features.new_zeros(batch, len(pair_offsets(radius)), height, width)
    for k, window in enumerate(pair_windows((height, width), radius, border)):
        difference = features[..., *window.source] - features[..., *window.target]
        result[:, k, *window.source] = difference.abs_().sum(dim=1)
    return result


def distances_backward(features: Tensor, gradient: Tensor, radius: int, border: Border) -> Tensor:
    """Gradient (N, C, h, w) of `distances` for the gradient (N, n, h, w) of its result."""
    result = torch.zeros_like(features)
    size = (features.shape[-2], features.shape[-1])
    for k, window in enumerate(pair_windows(size, radius, border)):
        difference = features[..., *window.source] - features[..., *window.target]
        share = difference.sign_().mul_(gradient[:, k : k + 1, *window.source])
        result[..., *window.source] += share
        result[..., *window.target] -= share
    return result


def _distances_cpu(features: Tensor, radius: int, border: Border) -> Tensor:
    from weakseg.ops import _pair_distance_loops as loops

    batch, _, height, width = features.shape
    result = features.new_zeros(batch, len(pair_offsets(radius)), height, width)
    loops.forward()(_channels_last(features).numpy(), loops.geometry((height, width), radius, border), result.numpy())
    return result


def _distances_backward_cpu(features: Tensor, gradient: Tensor, radius: int, border: Border) -> Tensor:
    from weakseg.ops import _pair_distance_loops as loops

    geometry = loops.geometry((features.shape[-2], features.shape[-1]), radius, border)
    last = _channels_last(features)
    result = torch.zeros_like(last)
    loops.backward()(last.numpy(), gradient.contiguous().numpy(), geometry, result.numpy())
    return result.permute(0, 3, 1, 2)


def _channels_last(features: Tensor) -> Tensor:
    """(N, C, h, w) -> contiguous (N, h, w, C)."""
    return features.detach().permute(0, 2, 3, 1).contiguous()
