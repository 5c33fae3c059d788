"""Paths between the pixels of a pair, and affinities that a boundary between the two cuts (docs/methods/irnet.md).

The authors gather every path of every pair at once; here one offset is looked at at a time, and of its paths only
where each is strongest is kept.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from weakseg.ops.pairs import Border, PairWindow, pair_offsets, pair_windows

Path = tuple[tuple[int, int], ...]


@cache
def search_paths(radius: int) -> tuple[Path, ...]:
    """Points (y, x) between the two pixels of each offset of `pair_offsets`, from the source at (0, 0).

    A path has all integer points of the rectangle spanned by the two pixels whose distance to the line through them
    is below 1, both pixels included, in raster order. (The released code lists the offsets by the length of their
    paths instead.)

    Example:
        >>> search_paths(3)[2:4]
        (((0, -1), (0, 0), (1, -2), (1, -1)), ((0, -1), (0, 0), (1, -1), (1, 0)))
    """
    return tuple(_path(dy, dx) for dy, dx in pair_offsets(radius))


def _path(dy: int, dx: int) -> Path:
    rows, columns = range(dy + 1), range(min(dx, 0), max(dx, 0) + 1)
    length = dy * dy + dx * dx
    return tuple((y, x) for y in rows for x in columns if (dy * x - dx * y) ** 2 < length)


def path_affinity(boundary: Tensor, radius: int, border: Border = "all") -> Tensor:
    """Affinity of all pairs, 1 - the strongest boundary on the path between the two pixels, with gradient.

    For backward one byte per pair is kept: where on the path the boundary was strongest. Training does not need the
    affinities themselves, see `weakseg.methods.irnet.path_loss`.

    Args:
        boundary: (N, h, w) in [0, 1].
        radius: pairs are closer than this many map pixels (10 in training, 5 at inference).
        border: which pairs exist, see `weakseg.ops.pairs.Border`.

    Returns:
        float32 stencil (N, n, h, w) in [0, 1], 0 where a pair does not exist.

    Raises:
        ValueError: the map is too small for ``border="crop"``.
    """
    affinity: Tensor = _PathAffinity.apply(boundary.float(), radius, border)
    return affinity


class _PathAffinity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, boundary: Tensor, radius: int, border: Border) -> Tensor:
        batch, height, width = boundary.shape
        affinity = boundary.new_zeros(batch, len(pair_offsets(radius)), height, width)
        places = torch.zeros_like(affinity, dtype=torch.uint8)
        windows = pair_windows((height, width), radius, border)
        for k, (path, window) in enumerate(zip(search_paths(radius), windows, strict=True)):
            strongest, place = path_maximum(boundary, path, window)
            affinity[:, k, *window.source] = 1 - strongest
            places[:, k, *window.source] = place
        ctx.save_for_backward(places)
        ctx.pairs = radius, windows
        return affinity

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        radius, windows = ctx.pairs
        result = torch.zeros_like(gradients[0][:, 0])
        for k, (path, window) in enumerate(zip(search_paths(radius), windows, strict=True)):
            slopes, place = -gradients[0][:, k, *window.source], places[:, k, *window.source]
            add_at_maximum(result, slopes, place, path, window)
        return result, None, None


def path_maximum(boundary: Tensor, path: Path, window: PairWindow) -> tuple[Tensor, Tensor]:
    """The strongest boundary on the paths of one offset, and which point of the path it is.

    Args:
        boundary: (N, h, w).
        path: the offset's entry of `search_paths`.
        window: its entry of `pair_windows`, of size (h', w').

    Returns:
        values (N, h', w') and indices into the path, int64 (N, h', w').
    """
    rows, columns = window.source
    along = [boundary[..., rows.start + y : rows.stop + y, columns.start + x : columns.stop + x] for y, x in path]
    strongest, place = torch.stack(along).max(dim=0)
    return strongest, place


def add_at_maximum(result: Tensor, values: Tensor, place: Tensor, path: Path, window: PairWindow) -> None:
    """Add one value per pair of an offset to the point of its path that `path_maximum` named, in place.

    Args:
        result: (..., N, h, w), contiguous.
        values: (..., N, h', w').
        place: indices into the path, (N, h', w').
        path: as for `path_maximum`.
        window: as for `path_maximum`.
    """
    height, width = result.shape[-2:]
    pixels = torch.arange(height * width, device=result.device).view(height, width)[window.source]
    steps = torch.tensor([y * width + x for y, x in path], device=result.device)
    target = (pixels + steps[place.long()]).expand_as(values)
    result.flatten(-2).scatter_add_(-1, target.flatten(-2), values.flatten(-2))
