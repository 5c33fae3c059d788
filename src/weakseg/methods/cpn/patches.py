"""Complementary pairs: two images that share out the patches of one (CPN, Zhang et al. 2021).

Patches are a label map: integers from 1, 0 for pixels outside the photo. The cells of a grid and super-pixels are both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Share = Literal["pixel", "patch"]
"""What the kept share of a pair counts."""


class Pair(NamedTuple):
    """The first half of a complementary pair; the second keeps what it hides.

    Attributes:
        keep: bool (H, W), the pixels that the first image keeps.
        share: scalar in [0, 1], the kept share of the photo (λ).
    """

    keep: Tensor
    share: Tensor


@dataclass(frozen=True)
class PairRule:
    """How pairs are drawn.

    Attributes:
        sizes: sides of a grid's cells in pixels, of which one is drawn per photo; None where patches are given.
        hide: probability of a patch to be hidden.
        replacement: see `draw_hidden`.
        share: what λ counts.

    Raises:
        ValueError: a probability or size out of range.
    """

    sizes: tuple[int, ...] | None
    hide: float
    replacement: bool
    share: Share

    def __post_init__(self) -> None:
        if not 0 <= self.hide <= 1:
            raise ValueError(f"hide is a probability, 0 to 1, not {self.hide}")
        if self.sizes is not None and (not self.sizes or min(self.sizes) < 1):
            raise ValueError(f"sizes are those of a grid's cells in pixels, not {list(self.sizes)}")

    def draw(self, images: Tensor, patches: Sequence[Tensor] | Tensor | None = None) -> Pair:
        """Draw a pair for each of N images, all from torch's global generator of the CPU.

        Args:
            images: (N, 3, H, W).
            patches: label maps (N, H, W); None draws grids.

        Returns:
            ``keep`` as bool (N, 1, H, W) and ``share`` as (N,).
        """
        pairs = []
        for index in range(len(images)):
            labels = self._grid(images) if patches is None else patches[index]
            hidden = draw_hidden(labels, self.hide, replacement=self.replacement)
            pairs.append(complementary_pair(labels, hidden, self.share))
        keep, share = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        return Pair(keep[:, None], share.to(images.dtype))

    def _grid(self, images: Tensor) -> Tensor:
        sizes = self.sizes or ()
        side = sizes[int(torch.randint(len(sizes), ()))]
        return grid_patches((images.shape[2], images.shape[3]), side).to(images.device)


def grid_patches(size: tuple[int, int], side: int) -> Tensor:
    """Label map of the square cells of a grid, row by row from 1; cells at the right and bottom edge may be cut.

    Args:
        size: (H, W).
        side: of a cell, in pixels.

    Returns:
        int64 (H, W).

    Example:
        >>> grid_patches((2, 3), 2)
        tensor([[1, 1, 2],
                [1, 1, 2]])
    """
    rows, columns = (torch.arange(length) // side for length in size)
    return rows[:, None] * (columns[-1] + 1) + columns + 1


def draw_hidden(patches: Tensor, probability: float, *, replacement: bool = False) -> Tensor:
    """Draw the patches to hide, from torch's global generator of the CPU.

    Args:
        patches: label map (H, W).
        probability: of each patch to be hidden, 0 to 1, as the paper says.
        replacement: as the released code draws super-pixels instead: ⌊probability * (patches + 1)⌋ times one of all,
            so that of half as many draws as patches only 1 - exp(-1/2) = 39 % are hidden. (Its draws also miss the
            last super-pixel and hit one that does not exist; these do not.)

    Returns:
        Labels of hidden patches, int64; with replacement they may repeat.
    """
    labels = _pixel_counts(patches).nonzero()[:, 0]
    if not replacement:
        return labels[(torch.rand(len(labels)) <= probability).to(labels.device)]
    if not len(labels):
        return labels
    return labels[torch.randint(len(labels), (int(probability * (len(labels) + 1)),)).to(labels.device)]


def complementary_pair(patches: Tensor, hidden: Tensor, share: Share) -> Pair:
    """The pair whose first image hides given patches.

    Args:
        patches: label map (H, W); pixels of label 0 are kept and do not count.
        hidden: labels to hide, none above the largest of ``patches``.
        share: count pixels, or patches whatever their size.
    """
    counts = _pixel_counts(patches)
    shown = torch.ones_like(counts, dtype=torch.bool)
    shown[hidden] = False
    shown[0] = True
    sizes = counts if share == "pixel" else (counts > 0).long()
    total = sizes.sum()
    return Pair(shown[patches], torch.where(total > 0, (sizes * shown).sum() / total, 1.0))


def _pixel_counts(patches: Tensor) -> Tensor:
    """Pixels by label; those outside the photo do not count."""
    counts = torch.bincount(patches.flatten(), minlength=1)
    counts[0] = 0
    return counts
