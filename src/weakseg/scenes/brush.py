"""Painting of backdrops at picture resolution, where exact outlines do not matter."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from weakseg.scenes.geometry import Points
from weakseg.scenes.texture import Colour, Field, fractal, mix, shade, spread, varied


class Brush:
    """A picture being painted; starts as a field, (height, width, 3) in 0..255."""

    def __init__(self, field: Field) -> None:
        self._picture = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
        self._draw = ImageDraw.Draw(self._picture)

    def fill(self, outline: Points, colour: Colour) -> None:
        """Fill a polygon (n, 2) in pixels."""
        self._draw.polygon(outline.ravel().tolist(), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle; an empty one paints nothing."""
        if left <= right and top <= bottom:
            self._draw.rectangle((left, top, right, bottom), fill=colour)

    def line(self, corners: list[tuple[float, float]], colour: Colour, width: int) -> None:
        """Draw connected lines, ``width`` pixels wide."""
        self._draw.line(corners, fill=colour, width=width)

    def field(self) -> Field:
        """What was painted, float32 (height, width, 3)."""
        return np.asarray(self._picture, dtype=np.float32)

    def rough(self, rng: Random, strength: float) -> Field:
        """What was painted, with uneven brightness, so that no patch of it is flat."""
        height, width = self._picture.height, self._picture.width
        noise = fractal(rng, height, width, rng.choice(((1.0, 1.0), (2.0, 2.0))))
        return self.field() * spread(1 + strength * (noise - np.float32(0.5)))


def plain(height: int, width: int, colour: Colour) -> Field:
    """One colour everywhere, (height, width, 3)."""
    return np.broadcast_to(np.array(colour, dtype=np.float32), (height, width, 3))


def ground(rng: Random, height: int, width: int, colour: Colour) -> Field:
    """Earth, grass, sand, snow or asphalt: coarse patches and finer streaks, (height, width, 3)."""
    patches = fractal(rng, height, width, (1.0, 3.0))
    streaks = fractal(rng, height, width, rng.choice(((1.0, 1.0), (1.0, 4.0))))
    return mix(shade(colour, 0.6), shade(varied(rng, colour, 30), 1.25), 0.5 * patches + 0.5 * streaks)


def sky(rng: Random, height: int, width: int) -> Field:
    """A vertical gradient with clouds, blue, dusk or overcast, (height, width, 3)."""
    top, low = rng.choice(
        (
            ((88, 150, 217), (196, 224, 245)),
            ((104, 156, 204), (214, 226, 232)),
            ((98, 78, 140), (245, 176, 124)),
            ((160, 168, 174), (222, 224, 226)),
        )
    )
    down = np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, None], (height, width))
    clouds = np.clip(fractal(rng, height, width, (1.0, 2.5)) * 2.2 - rng.uniform(0.6, 1.6), 0, 0.85)
    clear = mix(varied(rng, top, 20), varied(rng, low), down)
    return clear + spread(clouds) * (np.float32(245) - clear)
