"""Masks, maps and objects drawn over a small photo."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import find_boundaries

from weakseg.data.images import Palette, overlay, resize_mask
from weakseg.data.sample import Array

Colour = tuple[int, int, int]


def fitted(image: Array, size: tuple[int, int]) -> Array:
    """A photo shrunk to fit into (height, width), uint8 RGB; a smaller one stays as it is."""
    small = Image.fromarray(image)
    small.thumbnail((size[1], size[0]))
    return np.asarray(small)


def masked(photo: Array, mask: Array, palette: Palette) -> Array:
    """A mask over its greyed photo, each area with an outline in its full colour.

    Grey, because a red mask cannot be seen on a red car.

    Args:
        photo: uint8 RGB (h, w, 3).
        mask: uint8, any size; 0 stays grey, 255 is washed white.
        palette: RGB triples, indexed by mask value.
    """
    small = resize_mask(mask, (photo.shape[0], photo.shape[1]))
    gray = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    drawn = overlay(gray, small, palette, alpha=0.6).copy()
    edges = find_boundaries(small, mode="inner") & (small > 0) & (small < 255)
    drawn[edges] = np.asarray(palette, dtype=np.uint8)[small[edges]]
    return drawn


def heat(photo: Array, strength: NDArray[np.float32]) -> Array:
    """A map as a warm tint over the greyed photo.

    Args:
        photo: uint8 RGB (h, w, 3).
        strength: (h, w) in [0, 1].
    """
    share = strength[..., None]
    gray = photo.mean(axis=2, keepdims=True) * 0.7
    warm = np.concatenate([np.full_like(share, 255), 230 * share, 30 * (1 - share)], axis=2)
    return np.asarray((1 - share) * gray + share * warm, dtype=np.uint8)


def mosaic(pictures: Sequence[Array]) -> Array:
    """Pictures of one size, uint8 RGB (h, w, 3), shrunk and side by side in about the size of one."""
    side = int(np.ceil(np.sqrt(len(pictures))))
    height, width, _ = pictures[0].shape
    small = [
        np.asarray(Image.fromarray(picture).resize((max(1, width // side), max(1, height // side))))
        for picture in pictures
    ]
    small += [np.full_like(small[0], 255)] * (-len(small) % side)
    return np.concatenate([np.concatenate(small[start : start + side], axis=1) for start in range(0, len(small), side)])


def other_colours(taken: Iterable[Colour], count: int) -> list[Colour]:
    """Bright colours that are far from those taken and from each other, for what is of no class.

    Args:
        taken: RGB of the classes.
        count: how many are wanted, at most 100.
    """
    candidates = np.array(
        [colorsys.hsv_to_rgb(hue / 36, part, value) for hue in range(36) for part in (1.0, 0.6) for value in (1.0, 0.7)]
    )
    candidates = np.rint(candidates * 255)
    nearest = np.full(len(candidates), np.inf)
    for colour in [*taken, (0, 0, 0), (255, 255, 255)]:
        nearest = np.minimum(nearest, np.linalg.norm(candidates - np.array(colour), axis=1))
    chosen: list[Colour] = []
    for _ in range(count):
        best = candidates[int(nearest.argmax())]
        chosen.append((int(best[0]), int(best[1]), int(best[2])))
        nearest = np.minimum(nearest, np.linalg.norm(candidates - best, axis=1))
    return chosen
