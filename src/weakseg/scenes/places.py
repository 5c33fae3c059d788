"""Backdrops with a horizon or a floor: meadow, street, room and water. All return float32 (height, width, 3)."""

from __future__ import annotations

from math import tau
from random import Random

import numpy as np

from weakseg.scenes.brush import Brush, ground, plain, sky
from weakseg.scenes.geometry import ellipse
from weakseg.scenes.texture import Colour, Field, fractal, hsv, mix, shade, varied

SOILS: tuple[Colour, ...] = (
    (96, 132, 62),
    (88, 140, 84),
    (158, 142, 92),
    (196, 172, 128),
    (124, 100, 74),
    (210, 214, 222),
    (112, 118, 120),
)
WOODS: tuple[Colour, ...] = ((150, 106, 66), (96, 66, 46), (190, 160, 120))


def meadow(rng: Random, height: int, width: int) -> Field:
    """Sky, hills, often trees at the horizon, then open ground with tufts."""
    horizon = round(height * rng.uniform(0.25, 0.55))
    soil = varied(rng, rng.choice(SOILS), 16)
    brush = Brush(np.concatenate([sky(rng, horizon, width), ground(rng, height - horizon, width, soil)]))
    for haze in (0.5, 0.25):
        tops = [(x * width / 5, horizon - (0.2 + haze) * rng.uniform(0.0, 0.45) * horizon) for x in range(6)]
        red, green, blue = (round(0.9 * (1 - haze) * c + haze * h) for c, h in zip(soil, (135, 150, 170), strict=True))
        brush.fill(np.array([(0, horizon + 1), *tops, (width, horizon + 1)]), (red, green, blue))
    for _ in range(rng.choice((0, 4, 12))):
        _tree(rng, brush, rng.uniform(0, width), horizon, rng.uniform(0.03, 0.1) * height)
    for _ in range(rng.choice((0, 30, 60))):
        near = rng.random()
        x, y, size = rng.uniform(0, width), horizon + near * (height - horizon), 2 + 10 * near
        blade = shade(varied(rng, soil, 30), rng.choice((0.7, 1.3)))
        brush.line([(x - 0.4 * size, y - size), (x, y), (x + 0.5 * size, y - 0.8 * size)], blade, 2)
    return brush.field()


def _tree(rng: Random, brush: Brush, x: float, y: float, size: float) -> None:
    leaf = hsv(rng.uniform(0.22, 0.4), 0.5, rng.uniform(0.25, 0.5))
    brush.box(x - 2, y - size, x + 2, y + 3, (80, 60, 44))
    for _ in range(4):
        centre = x + rng.uniform(-0.5, 0.5) * size, y - rng.uniform(0.8, 1.6) * size
        brush.fill(ellipse(*centre, 0.6 * size, 0.6 * size, corners=12), varied(rng, leaf))


def street(rng: Random, height: int, width: int) -> Field:
    """House fronts with windows, a pavement and a road."""
    kerb, road = round(height * rng.uniform(0.45, 0.6)), round(height * rng.uniform(0.62, 0.75))
    asphalt = ground(rng, height - kerb, width, varied(rng, (122, 122, 126), 20))
    brush = Brush(np.concatenate([sky(rng, kerb, width), asphalt]))
    x = -rng.uniform(0, 60)
    while x < width:
        wide = rng.uniform(60, 120)
        _house(rng, brush, x, kerb * rng.uniform(0.0, 0.5), wide, kerb)
        x += wide
    brush.line([(0, road), (width, road)], (206, 204, 196), 3)
    y, dash = 0.5 * (road + height), rng.uniform(30, 60)
    start = -rng.uniform(0, dash)
    while start < width:
        brush.line([(start, y), (start + dash, y)], (222, 218, 200), 4)
        start += 1.6 * dash
    return brush.rough(rng, 0.25)


def _house(rng: Random, brush: Brush, x: float, top: float, wide: float, foot: float) -> None:
    hue = rng.uniform(0, 0.15) if rng.random() < 0.7 else rng.random()
    wall = hsv(hue, rng.uniform(0.08, 0.4), rng.uniform(0.45, 0.85))
    brush.box(x, top, x + wide, foot, wall)
    glass = varied(rng, rng.choice(((70, 84, 100), (230, 210, 150), (140, 170, 190))))
    columns, rows = rng.choice((2, 3, 4)), rng.choice((2, 3, 4))
    across, down = wide / columns, (foot - top) / rows
    for column in range(columns):
        for row in range(rows):
            left, high = x + (column + 0.25) * across, top + (row + 0.25) * down
            brush.box(left, high, left + 0.5 * across, high + 0.55 * down, shade(wall, 0.7))
            brush.box(left + 1, high + 1, left + 0.5 * across - 1, high + 0.5 * down, varied(rng, glass, 20))


def room(rng: Random, height: int, width: int) -> Field:
    """Papered wall with frames, skirting, and a floor of boards or tiles."""
    floor = round(height * rng.uniform(0.55, 0.75))
    wall = hsv(rng.random(), rng.uniform(0.08, 0.4), rng.uniform(0.55, 0.9))
    wood = varied(rng, rng.choice(WOODS), 20)
    brush = Brush(np.concatenate([plain(floor, width, wall), plain(height - floor, width, wood)]))
    _paper(rng, brush, width, floor, shade(wall, rng.choice((0.85, 1.25))))
    for _ in range(rng.choice((0, 1, 2))):
        _frame(rng, brush, rng.uniform(0, 0.8) * width, rng.uniform(0.05, 0.4) * floor, shade(wood, 0.6))
    for step in range(-6, 14):
        x = step * width / 8
        brush.line([(x, floor), (1.8 * x - 0.4 * width, height)], shade(wood, 0.7), 2)
    for share in rng.choice(((), (0.15, 0.4, 0.75))):
        y = floor + share * (height - floor)
        brush.line([(0, y), (width, y)], shade(wood, 0.7), 2)
    brush.box(0, floor - 8, width, floor, shade(wall, 1.5))
    brush.box(0, floor - 1, width, floor, shade(wall, 0.7))
    return brush.rough(rng, 0.22)


def _paper(rng: Random, brush: Brush, width: int, height: int, colour: Colour) -> None:
    """Nothing, stripes, dots or diamonds over a wall."""
    pitch, kind = rng.randint(14, 40), rng.choice(("plain", "stripes", "dots", "diamonds"))
    for x in range(0, width, pitch) if kind != "plain" else ():
        if kind == "stripes":
            brush.box(x, 0, x + pitch // 3, height, colour)
            continue
        for y in range((x // pitch) % 2 * pitch // 2, height, pitch):
            brush.fill(ellipse(x, y, pitch / 5, pitch / 4, corners=4 if kind == "diamonds" else 10), colour)


def _frame(rng: Random, brush: Brush, x: float, y: float, colour: Colour) -> None:
    wide, tall = rng.uniform(40, 90), rng.uniform(40, 80)
    brush.box(x, y, x + wide, y + tall, colour)
    brush.box(x + 6, y + 6, x + wide - 6, y + tall - 6, hsv(rng.random(), 0.3, 0.8))
    brush.box(x + 6, y + 0.6 * tall, x + wide - 6, y + tall - 6, hsv(rng.random(), 0.4, 0.6))


def water(rng: Random, height: int, width: int) -> Field:
    """A lake or the sea up to the horizon, with rippled light."""
    horizon = round(height * rng.uniform(0.1, 0.4))
    deep = hsv(rng.uniform(0.46, 0.62), rng.uniform(0.35, 0.7), rng.uniform(0.35, 0.6))
    tall = height - horizon
    down = np.linspace(0.05, 1, tall, dtype=np.float32)[:, None]
    swell = fractal(rng, tall, width, (1.0, 5.0))
    waves = 0.5 + 0.5 * np.sin(np.float32(tau) * (rng.uniform(3, 6) * np.log(down + 0.02) + 2.5 * swell))
    return np.concatenate(
        [sky(rng, horizon, width), mix(shade(deep, 0.75), shade(deep, 1.5), 0.35 * waves + 0.5 * swell)]
    )
