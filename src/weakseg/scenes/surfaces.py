"""Backdrops without a horizon: bricks, leaves, materials and lights. All return float32 (height, width, 3)."""

from __future__ import annotations

from math import pi
from random import Random

import numpy as np

from weakseg.scenes.brush import Brush, ground, plain
from weakseg.scenes.geometry import ellipse
from weakseg.scenes.texture import Colour, Field, fractal, hsv, mix, shade, varied


def bricks(rng: Random, height: int, width: int) -> Field:
    """A wall of bricks, tiles or cobbles."""
    clay = rng.choice((hsv(rng.uniform(0.0, 0.08), 0.5, 0.62), hsv(0.1, 0.15, 0.7), hsv(rng.random(), 0.2, 0.6)))
    wide, tall, shift = rng.choice(((44, 18, 0.5), (34, 34, 0.0), (26, 22, 0.5), (60, 30, 0.5)))
    brush = Brush(plain(height, width, shade(clay, rng.choice((0.55, 1.5)))))
    for row in range(height // tall + 1):
        for column in range(-1, width // wide + 1):
            left, top = (column + (row % 2) * shift) * wide, row * tall
            brush.box(left + 1, top + 1, left + wide - 2, top + tall - 2, varied(rng, clay, 26))
    return brush.rough(rng, 0.4)


def foliage(rng: Random, height: int, width: int) -> Field:
    """Leaves over leaves, from dark and deep to light and near."""
    hue = rng.choice((0.25, 0.3, 0.36, 0.11, 0.05))
    brush = Brush(ground(rng, height, width, hsv(hue, 0.55, 0.25)))
    count, thin = rng.randint(90, 150), rng.uniform(0.25, 0.6)
    for step in range(count):
        near = step / count
        size = rng.uniform(12, 26) * (0.7 + 0.6 * near)
        light = 0.22 + 0.4 * near + rng.uniform(-0.08, 0.08)
        leaf = ellipse(rng.uniform(0, width), rng.uniform(0, height), size, thin * size, rng.uniform(0, pi), 10)
        brush.fill(leaf, hsv(hue + rng.uniform(-0.05, 0.05), rng.uniform(0.4, 0.8), light))
    return brush.rough(rng, 0.3)


def material(rng: Random, height: int, width: int) -> Field:
    """Sand, stone, cloth or carpet from above, bare, striped, checked or strewn with pebbles."""
    colour = hsv(rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.35, 0.85))
    other = hsv(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.9))
    grain = fractal(rng, height, width, rng.choice(((1.0, 1.0), (2.0, 2.0), (1.0, 8.0), (8.0, 1.0))))
    brush = Brush(mix(shade(colour, 0.6), shade(varied(rng, colour, 40), 1.2), grain))
    rng.choice((_bare, _stripes, _checks, _pebbles))(rng, brush, (height, width), (colour, other))
    return brush.rough(rng, 0.35)


def _bare(rng: Random, brush: Brush, size: tuple[int, int], colours: tuple[Colour, Colour]) -> None:
    """Leave the material as it is."""


def _stripes(rng: Random, brush: Brush, size: tuple[int, int], colours: tuple[Colour, Colour]) -> None:
    pitch = rng.randint(20, 60)
    for x in range(0, sum(size), pitch):
        brush.line([(x, 0), (x - size[0], size[0])], colours[1], pitch // 4)


def _checks(rng: Random, brush: Brush, size: tuple[int, int], colours: tuple[Colour, Colour]) -> None:
    pitch = rng.randint(20, 60)
    for place in range(0, max(size), pitch):
        brush.line([(place, 0), (place, size[0])], colours[1], pitch // 4)
        brush.line([(0, place), (size[1], place)], shade(colours[1], 1.2), pitch // 4)


def _pebbles(rng: Random, brush: Brush, size: tuple[int, int], colours: tuple[Colour, Colour]) -> None:
    for _ in range(110):
        r = rng.uniform(5, 16)
        x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
        stone = ellipse(x, y, r, r * rng.uniform(0.5, 0.9), rng.uniform(0, pi), 9)
        brush.fill(stone, varied(rng, rng.choice(colours), 40))


def lights(rng: Random, height: int, width: int) -> Field:
    """Far out of focus: soft patches of a few colours and discs of light."""
    hue = rng.random()
    dark, bright = hsv(hue, 0.5, 0.25), hsv(hue + rng.uniform(-0.15, 0.25), 0.4, 0.7)
    field = mix(dark, bright, fractal(rng, height, width, (4.0, 4.0)))
    brush = Brush(field)
    for _ in range(rng.randint(10, 36)):
        r = rng.uniform(8, 30)
        colour = hsv(hue + rng.uniform(-0.12, 0.2), rng.uniform(0.1, 0.6), rng.uniform(0.6, 1.0))
        brush.fill(ellipse(rng.uniform(0, width), rng.uniform(0, height), r, r, corners=20), colour)
    return np.float32(0.45) * field + np.float32(0.55) * brush.field()
