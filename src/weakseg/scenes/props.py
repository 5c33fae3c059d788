"""Things of no class that lie about in the scenes: they carry no tag and are background in the mask."""

from __future__ import annotations

from math import cos, pi, sin, tau
from random import Random

import numpy as np

from weakseg.scenes.figure import Figure, Pen
from weakseg.scenes.geometry import box, ellipse, limb, smooth
from weakseg.scenes.texture import Colour, hsv, shade, varied

WOOD: Colour = (150, 104, 62)


def _ball(pen: Pen, rng: Random) -> None:
    hue, turn = rng.random(), rng.uniform(0, tau)
    pen.shape(ellipse(0, 0, 0.9, 0.9), (240, 238, 230))
    for step in range(3):
        start = turn + step * tau / 3
        wedge = [(0.95 * cos(start + a), 0.95 * sin(start + a)) for a in np.linspace(0, pi / 3, 6)]
        pen.mark(np.array([(0.1, -0.1), *wedge]), hsv(hue + 0.3 * step, 0.7, 0.85))


def _crate(pen: Pen, rng: Random) -> None:
    wood = varied(rng, WOOD, 30)
    pen.shape(box(-0.68, -0.68, 0.68, 0.68), wood)
    for y in (-0.34, 0.0, 0.34):
        pen.mark(box(-0.68, y - 0.025, 0.68, y + 0.025), shade(wood, 0.55))
    pen.mark(limb([(-0.6, 0.6), (0.6, -0.6)], 0.1, 0.1), shade(wood, 0.8))
    for edge in (-0.6, 0.6):
        pen.mark(box(edge - 0.1, -0.7, edge + 0.1, 0.7), shade(wood, 0.85))


def _bush(pen: Pen, rng: Random) -> None:
    leaf = hsv(rng.uniform(0.2, 0.42), rng.uniform(0.4, 0.75), rng.uniform(0.3, 0.6))
    for _ in range(11):
        angle, reach = rng.uniform(pi, tau), rng.uniform(0.1, 0.52)
        r = rng.uniform(0.22, 0.38)
        clump = ellipse(reach * cos(angle), 0.4 + 1.3 * reach * sin(angle), r, 0.85 * r, corners=14)
        pen.shape(clump, varied(rng, leaf, 26))
    for _ in range(rng.choice((0, 0, 7))):
        berry = ellipse(rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.6), 0.07, 0.07, corners=10)
        pen.mark(berry, hsv(rng.uniform(0.9, 1.1), 0.6, 0.95))


def _rock(pen: Pen, rng: Random) -> None:
    stone = varied(rng, rng.choice(((136, 132, 126), (112, 104, 98), (160, 146, 122))), 24)
    around = [tau * step / 8 for step in range(8)]
    corners = [(rng.uniform(0.62, 0.92) * cos(a), rng.uniform(0.45, 0.66) * sin(a)) for a in around]
    pen.shape(smooth(corners, 3), stone)
    pen.mark(smooth([(-0.5, -0.3), (0.1, -0.5), (0.3, -0.2), (-0.2, -0.05)], 3), shade(stone, 1.2))


def _mushroom(pen: Pen, rng: Random) -> None:
    cap = hsv(rng.choice((0.0, 0.03, 0.08, 0.75)), rng.uniform(0.5, 0.85), rng.uniform(0.55, 0.85))
    pen.shape(limb([(0, 0.0), (rng.uniform(-0.08, 0.08), 0.74)], 0.18, 0.26), (232, 222, 200))
    pen.shape(smooth([(-0.78, 0.06), (-0.62, -0.44), (0.0, -0.76), (0.62, -0.44), (0.78, 0.06), (0.0, 0.16)]), cap)
    for x, y, r in ((-0.4, -0.2, 0.13), (0.05, -0.46, 0.15), (0.42, -0.14, 0.11), (0.0, -0.04, 0.09)):
        pen.mark(ellipse(x, y, r, 0.8 * r, corners=14), (246, 240, 230))


def _cone(pen: Pen, rng: Random) -> None:
    colour = varied(rng, (236, 110, 34), 20)
    pen.shape(box(-0.56, 0.64, 0.56, 0.8), shade(colour, 0.75))
    pen.shape(np.array([(-0.4, 0.68), (-0.08, -0.8), (0.08, -0.8), (0.4, 0.68)]), colour)
    for y in (-0.3, 0.2):
        half = 0.4 * (y + 1.05) / 1.7
        band = [(-half, y), (half, y), (half + 0.06, y + 0.2), (-half - 0.06, y + 0.2)]
        pen.mark(np.array(band), (244, 244, 240))


def _signpost(pen: Pen, rng: Random) -> None:
    face = rng.choice(((206, 40, 44), (40, 92, 180), (240, 200, 40), (46, 130, 80)))
    pen.shape(limb([(0, -0.3), (0, 0.94)], 0.05, 0.05), (120, 122, 126))
    corners, tilt = rng.choice(((3, pi / 6), (3, pi / 2), (4, 0.0), (8, pi / 8), (24, 0.0)))
    plate = ellipse(0, -0.42, 0.5, 0.5, tilt=tilt, corners=corners)
    pen.shape(plate, face)
    pen.mark((plate - (0, -0.42)) * 0.76 + (0, -0.42), (246, 246, 242))
    pen.mark(limb([(-0.14, -0.42), (0.14, -0.42)], 0.06, 0.06), face)


def _flower(pen: Pen, rng: Random) -> None:
    petal, count = hsv(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.75, 1.0)), rng.choice((5, 6, 8))
    stem = hsv(0.3, 0.6, 0.45)
    pen.shape(limb([(0, -0.3), (rng.uniform(-0.1, 0.1), 0.3), (0, 0.9)], 0.045, 0.055), stem)
    pen.shape(ellipse(0.24, 0.5, 0.25, 0.1, -0.6, 16), shade(stem, 1.15))
    for step in range(count):
        angle = tau * step / count
        pen.shape(ellipse(0.32 * cos(angle), -0.38 + 0.32 * sin(angle), 0.26, 0.15, angle, 18), varied(rng, petal, 10))
    pen.shape(ellipse(0, -0.38, 0.18, 0.18), (236, 190, 60))


def _balloon(pen: Pen, rng: Random) -> None:
    colour = hsv(rng.random(), 0.7, 0.85)
    pen.shape(limb([(0, 0.4), (rng.uniform(-0.15, 0.15), 0.65), (0, 0.93)], 0.03, 0.03), (210, 206, 200))
    pen.shape(np.array([(-0.1, 0.5), (0.1, 0.5), (0.0, 0.36)]), shade(colour, 0.8))
    pen.shape(smooth([(0, 0.44), (-0.5, 0.0), (-0.5, -0.5), (0, -0.86), (0.5, -0.5), (0.5, 0.0)]), colour)
    pen.mark(ellipse(-0.2, -0.46, 0.1, 0.18, 0.4, 16), shade(colour, 1.6))


def _umbrella(pen: Pen, rng: Random) -> None:
    hue = rng.random()
    pen.shape(limb([(0, -0.5), (0, 0.6), (0.1, 0.78), (0.2, 0.64)], 0.03, 0.03), (90, 70, 56))
    top = [(-0.9, 0.06), (-0.66, -0.46), (0, -0.78), (0.66, -0.46), (0.9, 0.06)]
    hem = [(0.45, -0.04), (0, 0.06), (-0.45, -0.04)]
    pen.shape(smooth(top + hem, 5), hsv(hue, 0.65, 0.8))
    panel = [(-0.45, -0.02), (-0.3, -0.46), (0, -0.78), (0.3, -0.46), (0.45, -0.02), (0, 0.04)]
    pen.mark(smooth(panel, 5), hsv(hue + 0.08, 0.45, 0.92))


PROPS = tuple(
    Figure(draw, cover=((0.0, 0.0, 1.01),))
    for draw in (_ball, _crate, _bush, _rock, _mushroom, _cone, _signpost, _flower, _balloon, _umbrella)
)
