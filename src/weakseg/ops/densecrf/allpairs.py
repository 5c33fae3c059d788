"""The Gaussian kernels of dense CRFs summed over all pairs of pixels: exact, in torch, on any device.

Both carry the symmetric normalisation D^-½ K D^-½, D = K·1 (docs/methods/densecrf.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Pairs in memory at a time: two buffers of 128 MB.
_PAIRS = 1 << 25


def gaussian_messages(height: int, width: int, sxy: float, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Make the messages Q (N, K, H, W) -> K̃ Q of exp(−½‖p_i − p_j‖²/sxy²): a product over rows and over columns."""

    def line(length: int) -> Tensor:
        place = torch.arange(length, dtype=torch.float32, device=device) / sxy
        kernel = torch.exp(-0.5 * (place[:, None] - place) ** 2)
        norm = kernel.sum(1).rsqrt()
        return norm[:, None] * kernel * norm

    down, across = line(height), line(width)
    return lambda posterior: down @ posterior @ across


def bilateral_messages(images: Tensor, sxy: float, srgb: float) -> Callable[[Tensor], Tensor]:
    """Make the messages Q (N, K, H, W) -> K̃ Q of exp(−½‖p_i − p_j‖²/sxy² − ½‖c_i − c_j‖²/srgb²).

    Time grows with (HW)², memory does not: fit for small images, and for large ones on a GPU.

    Args:
        images: (N, H, W, 3) RGB, 0..255.
        sxy: width in pixels.
        srgb: width in grey levels.
    """
    height, width = images.shape[1:3]
    rows = torch.arange(height, device=images.device)[:, None].expand(height, width) / sxy
    columns = torch.arange(width, device=images.device).expand(height, width) / sxy
    products = [
        _normalized_product(torch.stack([columns, rows, *(image.float() / srgb).unbind(-1)]).flatten(1))
        for image in images
    ]

    def messages(posterior: Tensor) -> Tensor:
        values = posterior.flatten(2).transpose(1, 2)
        sums = [product(value) for product, value in zip(products, values, strict=True)]
        return torch.stack(sums).transpose(1, 2).reshape(posterior.shape)

    return messages


def _normalized_product(features: Tensor) -> Callable[[Tensor], Tensor]:
    """Make the product of D^-½ K D^-½ for features (d, n) with values (n, K); K is kept where it is small."""
    blocks = features.split(max(1, _PAIRS // features.shape[1]), dim=1)
    kept = [_kernel(blocks[0], features)] if len(blocks) == 1 else None

    def product(values: Tensor) -> Tensor:
        return torch.cat([kernel @ values for kernel in kept or (_kernel(block, features) for block in blocks)])

    norm = product(torch.ones_like(features[:1].T)).rsqrt()
    return lambda values: norm * product(norm * values)


def _kernel(some: Tensor, features: Tensor) -> Tensor:
    """exp(−½‖f_i − f_j‖²) of features (d, m) and (d, n): (m, n).

    Differences are taken before squares: expanded into dot products they would not survive TF32.
    """
    distance = features.new_zeros(some.shape[1], features.shape[1])
    for here, there in zip(some, features, strict=True):
        difference = here[:, None] - there
        distance.addcmul_(difference, difference)
    return distance.mul_(-0.5).exp_()
