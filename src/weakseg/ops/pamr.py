"""Pixel-adaptive mask refinement, PAMR (Araslanov and Roth, CVPR 2020).

The authors copy all 48 neighbours of every score in every iteration. Here neighbours are shifted views of one padded
tensor: beyond the kernel (48 values per pixel, whatever the number of classes) memory is that of a few score maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.random_walk import require_finite, require_tensors

DILATIONS = (1, 2, 4, 8, 12, 24)
Kernel = Literal["exponential", "gaussian"]
"""How weights fall with the distance of colours: as in the released code, or as AE-SIPE's paper writes it."""

_DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
# Values per thread that one block of rows holds: they stay in the processor's cache while the neighbours pass.
_BLOCK = 1 << 16


@torch.no_grad()
def pamr(
    image: Tensor,
    masks: Tensor,
    *,
    iterations: int = 10,
    dilations: Sequence[int] = DILATIONS,
    kernel: Kernel = "exponential",
) -> Tensor:
    """Replace every score by the mean of its neighbours, weighted by how alike their colours are, again and again.

    Constant masks stay, results lie within the range of their channel, and channels do not touch each other.

    Args:
        image: (N, 3, H, W), RGB in [0, 1].
        masks: (N, K, h, w), finite; resized to the image first, bilinear with align_corners=True.
        iterations: how often, at least 0.
        dilations: distances in pixels, 8 neighbours at each; outside the image its nearest pixel stands in.
        kernel: see `colour_kernel`.

    Returns:
        float32 (N, K, H, W) on the device of the masks, without gradient.

    Raises:
        ValueError: shapes that do not fit, NaN or infinite values, negative iterations, dilations below 1 or none,
            an unknown kernel.
    """
    require_tensors(image=image, masks=masks)
    if image.dim() != 4 or masks.dim() != 4 or len(image) != len(masks):
        shapes = f"{tuple(image.shape)} and {tuple(masks.shape)}"
        raise ValueError(f"PAMR takes images (N, 3, H, W) and masks (N, K, h, w), got {shapes}")
    if iterations < 0:
        raise ValueError(f"iterations is at least 0, got {iterations}")
    require_finite(image, "image values")
    require_finite(masks, "mask scores")
    weights = colour_kernel(image, dilations, kernel)
    if masks.numel() == 0:
        return masks.new_zeros(*masks.shape[:2], *image.shape[2:], dtype=torch.float32)
    refined = start = F.interpolate(masks.float(), image.shape[2:], mode="bilinear", align_corners=True)
    for _ in range(iterations):
        refined = weighted_mean(refined, weights, dilations)
    # A mean never leaves the range of its inputs: this takes back rounding.
    return refined.clamp(start.amin(dim=(2, 3), keepdim=True), start.amax(dim=(2, 3), keepdim=True))


def colour_kernel(image: Tensor, dilations: Sequence[int] = DILATIONS, kernel: Kernel = "exponential") -> Tensor:
    """Weights of all neighbours of every pixel, by their difference in colour d = |I_p - I_n|.

    Softmax over the neighbours of mean_channels(-d / (1e-8 + 0.1 s)), or of mean_channels(-d^2 / (2 (1e-8 + s)^2)) if
    Gaussian. s is a channel's unbiased standard deviation over all neighbours and the pixel itself, once per dilation.

    Args:
        image: (N, C, H, W).
        dilations: n distances in pixels.
        kernel: "exponential" (all released code) or "gaussian" (the paper of AE-SIPE).

    Returns:
        float32 (N, 8 n, H, W), sum 1 over the neighbours: dilation by dilation, each in raster order.

    Raises:
        ValueError: dilations below 1, or none; an unknown kernel.
    """
    if kernel not in get_args(Kernel):
        raise ValueError(f"unknown kernel {kernel!r}; available: {', '.join(get_args(Kernel))}")
    if not dilations or min(dilations) < 1:
        raise ValueError(f"dilations are one or more distances of at least 1 pixel, got {tuple(dilations)}")
    image = image.float()
    weights = image.new_empty(len(image), 8 * len(dilations), *image.shape[2:])
    padded = _padded(image, dilations)
    for rows in _row_blocks(image):
        centre, others = image[..., rows, :], _neighbours(padded, rows, dilations)
        deviation = _deviation(centre, others)
        if kernel == "gaussian":
            slope = -0.5 / (1e-8 + deviation).square_() / image.shape[1]
            likeness = [(other - centre).square_().mul_(slope).sum(dim=1) for other in others]
        else:
            slope = -1 / (1e-8 + 0.1 * deviation) / image.shape[1]
            likeness = [(other - centre).abs_().mul_(slope).sum(dim=1) for other in others]
        weights[..., rows, :] = torch.stack(likeness, dim=1).softmax(dim=1)
    return weights


def weighted_mean(maps: Tensor, weights: Tensor, dilations: Sequence[int] = DILATIONS) -> Tensor:
    """One iteration: the mean of all neighbours of maps (N, K, H, W), weighted by those of `colour_kernel`."""
    result = torch.zeros_like(maps)
    padded = _padded(maps, dilations)
    for rows in _row_blocks(maps):
        some = weights[..., rows, :].split(1, dim=1)
        for weight, other in zip(some, _neighbours(padded, rows, dilations), strict=True):
            result[..., rows, :].addcmul_(weight, other)
    return result


def _deviation(centre: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Unbiased standard deviation over the neighbours and len(others) / 8 times the centre."""
    # Differences from the centre: their squares do not cancel as those of the colours would.
    total, squares = torch.zeros_like(centre), torch.zeros_like(centre)
    for other in others:
        difference = other - centre
        total += difference
        squares.addcmul_(difference, difference)
    count = len(others) + len(others) // 8
    return ((squares - total * total / count) / (count - 1)).clamp_(min=0).sqrt_()


def _padded(maps: Tensor, dilations: Sequence[int]) -> Tensor:
    return F.pad(maps, (max(dilations),) * 4, mode="replicate")


def _neighbours(padded: Tensor, rows: slice, dilations: Sequence[int]) -> list[Tensor]:
    """Views of a padded tensor: for some rows of its inside, all pixels' neighbours in each direction and distance."""
    reach = max(dilations)
    width = padded.shape[-1] - 2 * reach
    tops_lefts = [(reach + dy * far, reach + dx * far) for far in dilations for dy, dx in _DIRECTIONS]
    return [padded[..., top + rows.start : top + rows.stop, left : left + width] for top, left in tops_lefts]


def _row_blocks(maps: Tensor) -> Iterator[slice]:
    """Rows to work on together: on a CPU what its cache holds, elsewhere all of them."""
    height = maps.shape[-2]
    values_per_row = max(1, maps.numel() // height)
    step = max(1, _BLOCK * torch.get_num_threads() // values_per_row) if maps.device.type == "cpu" else height
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
