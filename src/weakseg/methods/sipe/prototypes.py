"""Structure seeds, prototypes and image-specific maps: the arithmetic of SIPE and AE-SIPE (docs/methods/sipe.md).

The maps of a batch are float (N, K, h, w), channel 0 background and one channel per class; features are (N, D, h, w)
of the same size. The released code holds one (N, K, h w, h w) tensor; here structure seeds take matrix products on a
few rows of the (h w, h w) similarities at a time, so memory beyond the maps does not grow with the photo's area.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.maps import EPSILON, max_normalise

# Similarities that are held at once, over all images: 16 MiB.
_BLOCK = 1 << 22


def maps_with_background(logits: Tensor) -> Tensor:
    """Positive class evidence divided by its maximum, and before it what is left of 1: the background.

    Args:
        logits: of the classes, (N, C, h, w).

    Returns:
        (N, C + 1, h, w) in [0, 1], with gradient.
    """
    maps = max_normalise(F.relu(logits).flatten(0, 1)).view_as(logits)
    return torch.cat([1 - maps.amax(dim=1, keepdim=True), maps], dim=1)


@torch.no_grad()
def structure_overlap(maps: Tensor, features: Tensor) -> Tensor:
    """How well what looks like a pixel coincides with each map: a soft intersection over union (SIPE, section 3.2).

    With S_ij = relu(cos(f_i, f_j)): Σ_j S_ij M_k(j) / (Σ_j S_ij + Σ_j M_k(j) - Σ_j S_ij M_k(j)).

    Args:
        maps: M, (N, K, h, w) in [0, 1].
        features: f, (N, D, h, w).

    Returns:
        (N, K, h, w) in [0, 1], without gradient; 0 where the union is empty.
    """
    unit = F.normalize(features, eps=EPSILON).flatten(2)
    areas = F.pad(maps.flatten(2).transpose(1, 2), (0, 1), value=1.0)  # the last column sums S
    rows = max(1, _BLOCK // (len(unit) * unit.shape[2]))
    similar = [F.relu(block.transpose(1, 2) @ unit) @ areas for block in unit.split(rows, dim=2)]
    shared, total = torch.cat(similar, dim=1).transpose(1, 2).split([maps.shape[1], 1], dim=1)
    union = total + maps.flatten(2).sum(dim=2, keepdim=True) - shared
    overlap: Tensor = shared / union.clamp(min=EPSILON)
    return overlap.view_as(maps)


def structure_seeds(maps: Tensor, features: Tensor, *, background: float = 0.5) -> Tensor:
    """The channel of which a pixel's look-alikes cover most, as one-hot maps (SIPE, section 3.2).

    Args:
        maps: (N, K, h, w) in [0, 1].
        features: (N, D, h, w).
        background: factor on the overlap with channel 0; the released code has 0.5.

    Returns:
        (N, K, h, w) of zeros and ones, without gradient.
    """
    overlap = structure_overlap(maps, features)
    overlap[:, 0] *= background
    return winners(overlap)


def winners(maps: Tensor) -> Tensor:
    """One-hot maps (N, K, h, w) of the strongest channel of each pixel; of equal channels the first wins."""
    return torch.zeros_like(maps).scatter_(1, maps.argmax(dim=1, keepdim=True), 1.0)


def class_prototypes(seeds: Tensor, features: Tensor) -> Tensor:
    """Mean over all pixels of the features where a seed lies (SIPE, section 3.3; only their direction is used).

    Args:
        seeds: (N, K, h, w), zeros and ones.
        features: (N, D, h, w); the gradient flows to them.

    Returns:
        (N, K, D); zeros for a channel without seeds.
    """
    return seeds.flatten(2) @ features.flatten(2).transpose(1, 2) / seeds[0, 0].numel()


def image_specific_maps(prototypes: Tensor, features: Tensor) -> Tensor:
    """Likeness of every pixel to every prototype, relu of the cosine (SIPE, section 3.3).

    Args:
        prototypes: (N, K, D).
        features: (N, D, h, w).

    Returns:
        (N, K, h, w) in [0, 1], with gradient; zeros for a prototype of zeros.
    """
    likeness = F.normalize(prototypes, dim=2, eps=EPSILON) @ F.normalize(features, eps=EPSILON).flatten(2)
    return F.relu(likeness).view(*prototypes.shape[:2], *features.shape[2:])
