"""Objects one by one: displacements gathered to centres, evidence walked per centre.

See docs/methods/irnet.md, "Centroids", "Instance regions" and "Instance masks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from skimage.measure import label as components
from torch import Tensor
from torch.nn import functional as F

from weakseg.data.instances import Instance
from weakseg.methods.irnet.boundary_walk import STRIDE, enlarge, walk_within
from weakseg.ops.random_walk import require_finite
from weakseg.settings import Unit, settings

CENTRE = 2.5
"""Pixels displaced by less than this many map pixels lie at the centre of an object."""


@settings
class InstancesSettings:
    """Objects one by one."""

    threshold: Unit = 0.25
    """Walked evidence, relative to the photo's maximum, at and below which a pixel is background."""
    min_area: Unit = 0.01
    """Share of the photo below which an object scores 0."""


class Centroids(NamedTuple):
    """Where the displacements lead from every pixel: rows and columns, int64 (h, w) each, inside the map."""

    rows: Tensor
    columns: Tensor


def find_instances(
    scores: Tensor,
    boundary: Tensor,
    displacement: Tensor,
    labels: Sequence[int],
    size: tuple[int, int],
    *,
    threshold: float = 0.25,
    min_area: float = 0.01,
    radius: int = 5,
    beta: float = 10,
    log2_steps: int = 8,
) -> list[Instance]:
    """Instances of one photo, in the order of labels, then of centres (raster order).

    The evidence of every class is cut to the pixels of one centre and walks from there; every pixel goes to the
    strongest class and centre, and each connected part of what they won is an instance.

    Args:
        scores: class maps (K, h, w) at stride 4, in [0, 1].
        boundary: (h, w) in [0, 1].
        displacement: (2, h, w), see `weakseg.methods.irnet.network.IRNet.maps`.
        labels: of the K maps, c + 1 for class c.
        size: (H, W) of the photo.
        threshold: walked evidence, relative to the photo's maximum, at and below which a pixel is background.
        min_area: share of the photo below which an instance scores 0.
        radius: and ``beta``, ``log2_steps``: of the walk, see `weakseg.methods.irnet.boundary_walk.walk_within`.
        beta: of the walk.
        log2_steps: of the walk.

    Raises:
        ValueError: maps of different sizes, NaN or infinite values.
    """
    require_finite(scores, "scores")
    require_finite(displacement, "displacements")
    regions = cluster_centroids(find_centroids(displacement), displacement).to(scores.device)
    evidence = scores[:, None] * regions
    present = evidence.flatten(2).amax(dim=2) > 0
    walked = walk_within(evidence[present], boundary, radius=radius, beta=beta, log2_steps=log2_steps)
    strongest, winner = _strongest(walked, size, threshold)
    classes = present.nonzero()[:, 0].tolist()
    owners = [labels[channel] for channel in classes]
    return split_segments(winner, strongest, owners, min_area=min_area)


def find_centroids(displacement: Tensor, iterations: int = 300) -> Centroids:
    """Follow displacements (2, h, w) from every pixel, bilinear, without leaving the map; ends are rounded."""
    height, width = displacement.shape[1:]
    limit = displacement.new_tensor([height - 1, width - 1]).view(2, 1, 1)
    grid = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack(grid).to(displacement)
    for _ in range(iterations):
        # grid_sample takes (x, y) from -1 to 1 between the centres of the outer pixels.
        normal = (2 * place / limit.clamp(min=1) - 1).flip(0).permute(1, 2, 0)
        step = F.grid_sample(displacement[None], normal[None], padding_mode="border", align_corners=True)[0]
        place = torch.minimum((place + step).clamp(min=0), limit)
    rows, columns = place.round().long()
    return Centroids(rows, columns)


def cluster_centroids(centroids: Centroids, displacement: Tensor, centre: float = CENTRE) -> Tensor:
    """Regions of pixels that lead to one centre.

    A centre is a 4-connected set of pixels that are displaced by less than ``centre``; pixels that end outside all of
    them form a region of their own.

    Args:
        centroids: of `find_centroids`.
        displacement: (2, h, w).
        centre: in map pixels.

    Returns:
        bool (M, h, w), M ≥ 1: disjoint, covering the map.
    """
    still = displacement.norm(dim=0) < centre
    numbered = torch.from_numpy(components(still.cpu().numpy(), connectivity=1))
    ends = numbered[centroids.rows.cpu(), centroids.columns.cpu()]
    regions: Tensor = ends.unique().view(-1, 1, 1) == ends
    return regions


def split_segments(winner: Tensor, strength: Tensor, owners: Sequence[int], *, min_area: float) -> list[Instance]:
    """The 4-connected parts of every channel as instances.

    Args:
        winner: (H, W), 0 background, c + 1 for channel c.
        strength: (H, W), the winning score.
        owners: the label of every channel.
        min_area: share of the photo below which an instance scores 0.
    """
    found = []
    for channel, label in enumerate(owners, start=1):
        parts = torch.from_numpy(components((winner == channel).cpu().numpy(), connectivity=1))
        for part in range(1, int(parts.max()) + 1):
            mask = parts == part
            large = int(mask.sum()) >= min_area * mask.numel()
            found.append(Instance(label, float(strength.cpu()[mask].max()) if large else 0.0, mask))
    return found


def _strongest(walked: Tensor, size: tuple[int, int], threshold: float) -> tuple[Tensor, Tensor]:
    """The best score of every photo pixel relative to the photo's, and its channel + 1, 0 up to the threshold.

    One channel at full size at a time: many centres on a large photo would fill the memory.
    """
    best = walked.new_zeros(size)
    winner = torch.zeros(size, dtype=torch.int64, device=walked.device)
    for channel, maps in enumerate(walked, start=1):
        full = enlarge(maps[None], size, STRIDE)[0]
        winner[full > best] = channel
        best = torch.maximum(best, full)
    best = best / best.max().clamp(min=1e-12)
    return best, winner.where(best > threshold, 0)
