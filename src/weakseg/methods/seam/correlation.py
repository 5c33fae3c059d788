"""Evidence spread over what belongs together: the arithmetic of SEAM's PCM and CPN's PRCM (docs/methods/seam.md).

Maps have the background as channel 0: (N, C + 1, h, w).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.maps import EPSILON

BLOCK_ENTRIES = 1 << 24
"""Entries of the matrix of all pixel pairs that are held at once, per image: 64 MB. Maps of up to 64 x 64 pixels (a
crop of 512 at stride 8) take one block; a map of 125 x 188 takes 33."""


@torch.no_grad()
def strongest_evidence(maps: Tensor) -> Tensor:
    """What PCM spreads: per pixel the strongest class only, and the rest as background ("cam_d_norm" of the code).

    Args:
        maps: raw maps; the background channel is not looked at.

    Returns:
        The same shape in [0, 1], without gradient: every class divided by its maximum, all but the pixel's strongest
        set to 0; channel 0 is 1 - the strongest.
    """
    scores = F.relu(maps[:, 1:])
    scores = F.relu(scores - EPSILON) / (scores.amax(dim=(2, 3), keepdim=True) + EPSILON)
    top = scores.amax(dim=1, keepdim=True)
    return torch.cat([1 - top, scores.where(scores == top, 0)], dim=1)


def pixel_correlation(evidence: Tensor, features: Tensor) -> Tensor:
    """PCM: every pixel takes the mean evidence of all pixels, weighted by max(0, cosine) of their features.

    A pixel is one of its own neighbours. The weights are made block by block (`BLOCK_ENTRIES`), so that inference
    needs no more memory for larger photos; in training the blocks are kept for the gradient, (hw)² numbers per image.

    Args:
        evidence: (N, K, h, w).
        features: (N, D, h, w).

    Returns:
        (N, K, h, w).
    """
    flat = features.flatten(2)
    unit = flat / (torch.linalg.vector_norm(flat, dim=1, keepdim=True) + EPSILON)
    # The sum of the weights comes out of the same product, as the evidence of a class that is everywhere.
    signals = F.pad(evidence.flatten(2), (0, 0, 0, 1), value=1.0)
    blocks = unit.split(max(1, BLOCK_ENTRIES // flat.shape[2]), dim=2)
    spread = torch.cat([signals @ F.relu(unit.transpose(1, 2) @ block, inplace=True) for block in blocks], dim=2)
    return (spread[:, :-1] / (spread[:, -1:] + EPSILON)).view_as(evidence)


def region_contexts(evidence: Tensor, features: Tensor) -> Tensor:
    """Mean feature of every class, its pixels weighted by a softmax of its evidence over space.

    Args:
        evidence: (N, K, h, w).
        features: (N, D, h, w).

    Returns:
        (N, D, K).
    """
    return features.flatten(2) @ evidence.flatten(2).softmax(dim=2).transpose(1, 2)


def region_attention(keys: Tensor, queries: Tensor) -> Tensor:
    """How much each pixel resembles each region: scaled products, softmax over space as in the released code.

    Args:
        keys: of the regions, (N, K, D).
        queries: of the pixels, (N, D, h, w).

    Returns:
        (N, K, h, w), every channel of sum 1.
    """
    products = keys @ queries.flatten(2) * keys.shape[1] ** -0.5
    attention: Tensor = products.softmax(dim=2)
    return attention.view(*attention.shape[:2], *queries.shape[2:])
