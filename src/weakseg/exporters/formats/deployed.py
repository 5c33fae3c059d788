"""A segmentation network with all that it needs around it, as one graph for photos of any size."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional as F


class Deployed(nn.Module):
    """uint8 photos (N, H, W, 3), red, green, blue -> probabilities float32 (N, C + 1, H, W), labels uint8 (N, H, W).

    Args:
        network: a trained segmentation network in eval mode. It is changed: see `fix_sizes`.
        flip: also look at the mirrored photos and take the mean of the logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, *, flip: bool) -> None:
        super().__init__()
        self.network, self.flip = network, flip
        about: Any = network
        self.register_buffer("mean", torch.tensor(about.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(about.std).view(1, 3, 1, 1))
        fix_sizes(network)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise, look, and mirror back."""
        photos = (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        if self.flip:
            plain, mirrored = self.network(torch.cat([photos, photos.flip(-1)])).chunk(2)
            logits = (plain + mirrored.flip(-1)) / 2
        else:
            logits = self.network(photos)
        return logits.softmax(dim=1), logits.argmax(dim=1).to(torch.uint8)


class FixedPadding(nn.Module):
    """TensorFlow's "same" padding for inputs whose sides the stride divides, where it does not depend on the size."""

    def __init__(self, convolution: Conv2dSame) -> None:
        super().__init__()
        sides = zip(convolution.kernel_size, convolution.stride, convolution.dilation, strict=True)
        totals = [max((kernel - 1) * dilation + 1 - stride, 0) for kernel, stride, dilation in sides]
        # F.pad begins with the last axis.
        self.padding = [part for total in reversed(totals) for part in (total // 2, total - total // 2)]
        self.convolution = convolution

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) as the convolution has it."""
        own = self.convolution
        padded = F.pad(features, self.padding)
        return F.conv2d(padded, own.weight, own.bias, own.stride, 0, own.dilation, own.groups)


class AnyPooling(nn.Module):
    """Adaptive average pooling (pyramid pooling) by products of matrices: ONNX has none for inputs of any size."""

    def __init__(self, pooling: nn.AdaptiveAvgPool2d) -> None:
        super().__init__()
        size: Any = pooling.output_size
        self.size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, rows, columns)."""
        rows, columns = (_shares(side, count) for side, count in zip(features.shape[-2:], self.size, strict=True))
        return rows.to(features) @ features @ columns.to(features).T


def _shares(side: int, count: int) -> Tensor:
    """How much each of ``side`` pixels counts in each of ``count`` means, (count, side)."""
    pixel, part = torch.arange(side)[None], torch.arange(count)[:, None]
    # The i-th mean is over pixels ⌊i side / count⌋ to ⌈(i + 1) side / count⌉ - 1.
    begin, end = part * side // count, ((part + 1) * side + count - 1) // count
    inside = ((pixel >= begin) & (pixel < end)).float()
    return inside / inside.sum(dim=1, keepdim=True)


def fix_sizes(network: nn.Module) -> None:
    """Replace layers that reckon with the input's size at every call, in place: padding, and pooling to several means.

    A traced graph would keep the padding of the size that it was traced with. The photos are padded to whole cells of
    the network, so that every stride divides the size that it meets, and the padding is the same for all.
    """
    for name, module in network.named_children():
        if isinstance(module, Conv2dSame):
            setattr(network, name, FixedPadding(module))
        elif isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size not in (1, (1, 1)):
            setattr(network, name, AnyPooling(module))
        else:
            fix_sizes(module)
