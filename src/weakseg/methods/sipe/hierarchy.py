"""What SIPE and AE-SIPE look at: all levels of a backbone side by side.

See docs/methods/sipe.md, "Hierarchical features".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.ops.maps import EPSILON

WIDTHS = (128, 128, 256, 256)


class HierarchicalFeatures(nn.Module):
    """Side branches on the coarsest levels: 1x1 convolution, unit length, resized to one grid, joined.

    The levels are cut off: no gradient reaches the backbone through them.

    Args:
        channels: of all levels of the backbone, finest first.
        widths: of the branches, of the coarsest level last; one level is used for each, or as many as there are.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        pairs = list(zip(reversed(channels), reversed(widths), strict=False))[::-1]
        self.sides = nn.ModuleList(nn.Conv2d(count, width, 1, bias=False) for count, width in pairs)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Levels (N, C_l, h_l, w_l), finest first -> (N, sum of widths, h, w), of the second coarsest level's size."""
        used = levels[-len(self.sides) :]
        size = used[-2:][0].shape[2:]
        parts = [_unit(side(level.detach())) for side, level in zip(self.sides, used, strict=True)]
        # The one resizing within SIPE's network without aligned corners, as the golden vectors show.
        return torch.cat([F.interpolate(part, size, mode="bilinear", align_corners=False) for part in parts], dim=1)


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, C, h, w) at another size, bilinear with align_corners=True."""
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=True)


def _unit(features: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (lengths + EPSILON)
