"""Draws a layout: backdrop, shaded figures with their shadows, then light, focus and camera noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from weakseg.scenes.figure import Box, Pen
from weakseg.scenes.layout import Item, Layout
from weakseg.scenes.places import meadow, room, street, water
from weakseg.scenes.surfaces import bricks, foliage, lights, material
from weakseg.scenes.texture import Field, fractal, grain, spread

BACKDROPS = (meadow, meadow, street, street, room, room, water, bricks, foliage, foliage, material, material, lights)
_COARSE = 4  # shading and shadows are soft: computed at a quarter of the size


@dataclass(frozen=True)
class Light:
    """Direction to the light (x, y; unit length or less), strength of the shadows, and the camera's faults."""

    x: float
    y: float
    shadow: float
    relief: float
    gain: tuple[float, float, float]
    gamma: float
    slope: tuple[float, float]
    blur: float
    noise: float


def draw_mask(layout: Layout) -> NDArray[np.uint8]:
    """The true labels, uint8 (height, width): 0 background, c + 1 for class c; the figure in front wins."""
    mask = np.zeros((layout.height, layout.width), dtype=np.uint8)
    for item in layout.items:
        box = _box(item, layout)
        if box is not None:
            left, top, right, bottom = box
            pen = _drawn(item, box, coloured=False)
            mask[top:bottom, left:right][np.asarray(pen.alpha()) > 127] = item.label
    return mask


def draw_image(layout: Layout) -> NDArray[np.uint8]:
    """The picture, uint8 RGB (height, width, 3)."""
    rng = Random(layout.seed)
    light = _light(rng)
    backdrop = rng.choice(BACKDROPS)(rng, layout.height, layout.width)
    focus = rng.choice((0.5, 0.8, 1.2, 2.0))
    field = np.asarray(_soft(_picture(backdrop), focus), dtype=np.float32).copy()
    for item in layout.items:
        _place(field, item, layout, light)
    return _photograph(rng, field, light)


def _light(rng: Random) -> Light:
    warmth, exposure = rng.uniform(-0.1, 0.1), rng.uniform(0.8, 1.15)
    return Light(
        x=rng.uniform(-0.8, 0.8),
        y=-rng.uniform(0.4, 1.0),
        shadow=rng.choice((0.0, 0.25, 0.45)),
        relief=rng.uniform(0.15, 0.4),
        gain=(exposure * (1 + warmth), exposure, exposure * (1 - warmth)),
        gamma=rng.uniform(0.75, 1.1),
        slope=(rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.25)),
        blur=rng.choice((0.0, 0.0, 0.5, 1.0)),
        noise=rng.choice((2.0, 4.0, 6.0, 10.0)),
    )


def _box(item: Item, layout: Layout) -> Box | None:
    """The part of the picture where the item may show, or None."""
    covers = item.covers()
    left = max(0, floor(min(x - r for x, _, r in covers)))
    top = max(0, floor(min(y - r for _, y, r in covers)))
    right = min(layout.width, ceil(max(x + r for x, _, r in covers)))
    bottom = min(layout.height, ceil(max(y + r for _, y, r in covers)))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _drawn(item: Item, box: Box, *, coloured: bool) -> Pen:
    pen = Pen(item.pose, box, coloured=coloured)
    item.figure.draw(pen, Random(item.seed))
    return pen


def _place(field: Field, item: Item, layout: Layout, light: Light) -> None:
    """Lay the item's shadow and then the item itself over the field, in place."""
    box = _box(item, layout)
    if box is None:
        return
    left, top, right, bottom = box
    pen = _drawn(item, box, coloured=True)
    alpha = pen.alpha()
    if light.shadow:
        _cast(field, alpha, box, item.pose.unit, light)
    rng = Random(item.seed + 1)
    fur = 1 + 0.3 * (fractal(rng, bottom - top, right - left, (1.0, 1.0)) - np.float32(0.5))
    cover = spread(np.asarray(alpha, dtype=np.float32))
    tinted = spread(fur * _relief(alpha, item.pose.unit, light))
    tinted *= np.asarray(pen.colour())
    region = field[top:bottom, left:right]
    region *= 1 - cover / np.float32(255)
    region += np.minimum(tinted, cover, out=tinted)


def _relief(alpha: Image.Image, unit: float, light: Light) -> Field:
    """Brightness factors, (h, w): rims towards the light are brighter, the others darker."""
    hill = np.asarray(_coarse_blur(alpha, 0.16 * unit), dtype=np.float32) / np.float32(255)
    step = max(1, round(0.12 * unit / _COARSE))
    padded = np.pad(hill, step, mode="edge")
    rows, columns = hill.shape
    x, y = round(light.x * step), round(light.y * step)
    away = padded[step - y : step - y + rows, step - x : step - x + columns]
    near = padded[step + y : step + y + rows, step + x : step + x + columns]
    slope = 1 + light.relief * (2 * (away - near) + 0.5 * (hill - np.float32(0.8)))
    return np.asarray(Image.fromarray(slope.astype(np.float32)).resize(alpha.size, Image.Resampling.BILINEAR))


def _cast(field: Field, alpha: Image.Image, box: Box, unit: float, light: Light) -> None:
    """Darken the field, in place, where the figure's soft shadow falls."""
    soft = _coarse_blur(alpha, 0.12 * unit).resize(alpha.size, Image.Resampling.BILINEAR)
    x, y = round(-0.14 * unit * light.x), round(-0.14 * unit * light.y)
    left, top, right, bottom = box
    height, width = field.shape[:2]
    shifted = (max(0, left + x), max(0, top + y), min(width, right + x), min(height, bottom + y))
    if shifted[0] >= shifted[2] or shifted[1] >= shifted[3]:
        return  # all of it falls outside the picture
    dark = np.asarray(soft, dtype=np.float32)[
        shifted[1] - top - y : shifted[3] - top - y, shifted[0] - left - x : shifted[2] - left - x
    ]
    field[shifted[1] : shifted[3], shifted[0] : shifted[2]] *= spread(1 - np.float32(light.shadow / 255) * dark)


def _coarse_blur(alpha: Image.Image, radius: float) -> Image.Image:
    return alpha.reduce(_COARSE).filter(ImageFilter.BoxBlur(radius / _COARSE))


def _photograph(rng: Random, field: Field, light: Light) -> NDArray[np.uint8]:
    """Uneven light, white balance, exposure, blur and noise."""
    height, width = field.shape[:2]
    across = 1 + light.slope[0] * np.linspace(-1, 1, width, dtype=np.float32)
    down = 1 + light.slope[1] * np.linspace(-1, 1, height, dtype=np.float32)
    field *= np.dstack([np.outer(np.float32(gain) * down, across) for gain in light.gain])
    curve = [round(255 * (level / 255) ** light.gamma) for level in range(256)] * 3
    picture = _soft(_picture(field).point(curve), light.blur)
    noisy = np.float32(light.noise) * grain(rng, height, width)
    noisy += np.asarray(picture)
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def _picture(field: Field) -> Image.Image:
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def _soft(picture: Image.Image, radius: float) -> Image.Image:
    return picture.filter(ImageFilter.BoxBlur(radius)) if radius else picture
