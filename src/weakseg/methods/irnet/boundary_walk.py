"""Class evidence spread inside boundaries: from IRNet's edge map and CAMs to segments.

See docs/methods/irnet.md, "Boundary walk".
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from weakseg.methods.irnet.paths import path_affinity
from weakseg.ops.random_walk import random_walk, require_finite

STRIDE = 4


def walk_within(scores: Tensor, boundary: Tensor, *, radius: int = 5, beta: float = 10, log2_steps: int = 8) -> Tensor:
    """Let scores walk over path affinities, starting from what lies off the boundaries.

    The released code surrounds the map with full boundary. Nothing crosses that, so here all pairs inside the map are
    taken instead, and no pair outside.

    Args:
        scores: (K, h, w), finite.
        boundary: (h, w) in [0, 1].
        radius: pairs are closer than this many map pixels.
        beta: exponent of the affinities.
        log2_steps: the walk takes 2^log2_steps steps.

    Returns:
        float32 (K, h, w).

    Raises:
        ValueError: maps of different sizes, NaN or infinite values.
    """
    if scores.dim() != 3 or boundary.shape != scores.shape[1:]:
        raise ValueError(f"scores {tuple(scores.shape)} and boundary {tuple(boundary.shape)} are of different maps")
    require_finite(boundary, "boundary values")
    affinity = path_affinity(boundary[None], radius)[0]
    return random_walk(scores * (1 - boundary), affinity, radius=radius, beta=beta, log2_steps=log2_steps)


def full_size_scores(walked: Tensor, size: tuple[int, int], *, stride: int = STRIDE) -> Tensor:
    """Enlarge walked scores to the photo and divide them by their maximum over all classes.

    IRNet's labels are `weakseg.ops.maps.threshold_labels` of the result, at 0.25.

    Args:
        walked: (K, h, w), non-negative.
        size: (H, W) of the photo; h = ⌈H / stride⌉, w = ⌈W / stride⌉.
        stride: of the map.

    Returns:
        (K, H, W) in [0, 1]; without any evidence 0.
    """
    full = enlarge(walked, size, stride)
    return full / full.max().clamp(min=1e-12) if full.numel() else full


def enlarge(maps: Tensor, size: tuple[int, int], stride: int = STRIDE) -> Tensor:
    """Maps (K, h, w) ``stride`` times larger, bilinear, cut to ``size``: (K, H, W)."""
    if not len(maps):
        return maps.new_zeros(0, *size)
    full = F.interpolate(maps[None], scale_factor=float(stride), mode="bilinear", align_corners=False)[0]
    return full[:, : size[0], : size[1]]
