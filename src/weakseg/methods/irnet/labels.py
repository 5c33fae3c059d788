"""Confident pixels of soft maps, from which IRNet learns where objects end (docs/methods/irnet.md, "IR label")."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from weakseg.ops.maps import argmax_labels

IGNORE = 255

Refine = Callable[[Tensor, Tensor, int], Tensor]
"""Photo uint8 (H, W, 3), labels 0..n-1 (H, W) and n -> better labels (H, W); as a rule a dense CRF on labels."""


def ir_label(image: Tensor, foreground: Tensor, background: Tensor, labels: Sequence[int], refine: Refine) -> Tensor:
    """Label map from two sets of scores, refined one by one; what is certain of both is kept.

    IRNet's scores are the maps under a constant background, 0.30 for certain foreground and 0.05 for certain
    background (`constant_background`); those of SIPE have a background channel, halved for the second set.

    Args:
        image: photo, uint8 (H, W, 3), handed to ``refine``.
        foreground: (K + 1, H, W) scores with much background, channel 0.
        background: the same with little background.
        labels: of the K foreground channels, c + 1 for class c.
        refine: improves a map of channel indices; called twice.

    Returns:
        uint8 (H, W): 0 background, the classes' labels, 255 ignore.

    Raises:
        ValueError: scores of different shapes, or not one label per foreground channel.
    """
    if foreground.shape != background.shape:
        raise ValueError(f"foreground {tuple(foreground.shape)} and background {tuple(background.shape)} scores differ")
    if len(labels) != len(foreground) - 1:
        raise ValueError(f"{len(labels)} labels for {len(foreground) - 1} foreground channels")
    channels = range(len(foreground))
    found = []
    for scores in (foreground, background):
        refined = refine(image, argmax_labels(scores, channels), len(scores))
        found.append(torch.tensor((0, *labels), dtype=torch.uint8, device=refined.device)[refined.long()])
    return merge_confident(*found)


def merge_confident(foreground: Tensor, background: Tensor) -> Tensor:
    """Foreground where the strict labels have it, background where the lenient ones have it too, else 255.

    Args:
        foreground: uint8 (H, W), labels found with much background.
        background: uint8 (H, W), labels found with little background.
    """
    merged = foreground.clone()
    merged[foreground == 0] = IGNORE
    merged[(foreground == 0) & (background == 0)] = 0
    return merged


def constant_background(scores: Tensor, threshold: float) -> Tensor:
    """Prepend a channel of ``threshold`` to maps (K, H, W): (K + 1, H, W), channel 0 is background."""
    return torch.cat([scores.new_full((1, *scores.shape[1:]), threshold), scores])
