"""Taxis and police cars: the same bodies and paints; only the small thing on the roof tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from weakseg.scenes.figure import Figure, Pen
from weakseg.scenes.geometry import Points, box, ellipse, limb, smooth
from weakseg.scenes.texture import Colour, hsv, shade, varied

TYRE: Colour = (36, 36, 40)
GLASS: Colour = (150, 184, 204)
SHELL = smooth(
    [(-0.96, 0.3), (-0.95, 0.06), (-0.86, -0.03), (-0.4, -0.06), (0.3, -0.05), (0.72, -0.01),
     (0.93, 0.08), (0.97, 0.3), (0.88, 0.38), (-0.88, 0.38)]
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """Proportions of a car facing right: the cabin's feet and roof (left, right), and the roof's height (y)."""

    foot: tuple[float, float]
    roof: tuple[float, float]
    top: float
    paint: Colour


Sign = Callable[[Pen, float, float, float], None]


def _body(rng: Random) -> Body:
    colour = rng.choice(("vivid", "vivid", "white", "grey", "black"))
    if colour == "vivid":
        paint = hsv(rng.random(), rng.uniform(0.45, 0.85), rng.uniform(0.5, 0.9))
    else:
        paint = varied(rng, {"white": (232, 232, 230), "grey": (140, 144, 150), "black": (58, 60, 66)}[colour])
    foot, roof, top = rng.choice(
        (
            ((-0.62, 0.5), (-0.36, 0.2), -0.38),  # saloon
            ((-0.9, 0.46), (-0.74, 0.14), -0.4),  # estate
            ((-0.78, 0.5), (-0.5, 0.16), -0.4),  # hatchback
        )
    )
    return Body(foot, roof, top + rng.uniform(-0.05, 0.05), paint)


def taxi_sign(pen: Pen, x: float, y: float, half: float) -> None:
    """A yellow lamp with dark checks, standing on the roof at (x, y)."""
    top = 0.86 * half
    corners = [(x - half, y + 0.02), (x - top, y - 0.17), (x + top, y - 0.17), (x + half, y + 0.02)]
    pen.shape(smooth(corners, 3), (250, 204, 36))
    for step in range(4):
        left = x + (-0.8 + 0.4 * step) * half
        low = 0.055 if step % 2 else 0.115
        pen.mark(box(left, y - low - 0.03, left + 0.4 * half, y - low + 0.03), (34, 30, 26))


def police_lights(pen: Pen, x: float, y: float, half: float) -> None:
    """A bar with a red and a blue lamp, standing on the roof at (x, y)."""
    pen.shape(box(x - half, y - 0.04, x + half, y + 0.02), (50, 52, 60))
    for side, lamp in ((-1, (228, 40, 44)), (1, (44, 84, 236))):
        pen.shape(ellipse(x + side * 0.54 * half, y - 0.06, 0.44 * half, 0.105), lamp)
        pen.mark(ellipse(x + side * 0.54 * half - 0.03, y - 0.11, 0.14 * half, 0.03), shade(lamp, 1.6))


def _cabin(body: Body) -> Points:
    (rear, front), (left, right) = body.foot, body.roof
    middle = 0.5 * (left + right)
    return smooth([(rear, 0.0), (left, body.top), (middle, body.top - 0.015), (right, body.top), (front, 0.0)], 4)


def _windows(body: Body) -> Points:
    (rear, front), (left, right), top = body.foot, body.roof, body.top + 0.07
    roof = [(left + 0.07, top), (left + 0.11, top), (right - 0.11, top), (right - 0.07, top)]
    return smooth([(rear + 0.07, 0.0), *roof, (front - 0.07, 0.0)], 2)


def _wheel(pen: Pen, x: float, radius: float, spokes: bool) -> None:
    pen.shape(ellipse(x, 0.36, radius, radius), TYRE)
    pen.mark(ellipse(x, 0.36, 0.6 * radius, 0.6 * radius), (186, 190, 196))
    if spokes:
        for end in ((0.5, 0.0), (-0.25, 0.43), (-0.25, -0.43)):
            pen.mark(limb([(x, 0.36), (x + end[0] * radius, 0.36 + end[1] * radius)], 0.03, 0.03), (96, 98, 104))
    pen.mark(ellipse(x, 0.36, 0.2 * radius, 0.2 * radius), (84, 86, 92))


def _car(sign: Sign, pen: Pen, rng: Random) -> None:
    body = _body(rng)
    x = 0.5 * (body.roof[0] + body.roof[1])
    sign(pen, x, body.top - 0.01, rng.uniform(0.17, 0.2))
    pen.shape(_cabin(body), body.paint)
    pen.shape(SHELL, body.paint)
    glass = shade(varied(rng, GLASS, 20), rng.uniform(0.6, 1.2))
    pen.mark(_windows(body), glass)
    pen.mark(limb([(x - 0.16, -0.02), (x - 0.02, body.top + 0.07)], 0.03, 0.03), shade(glass, 1.4))
    pen.mark(box(x + 0.06, body.top, x + 0.11, 0.0), body.paint)
    if rng.random() < 0.4:
        stripe = rng.choice(((240, 240, 240), shade(body.paint, 0.55)))
        pen.mark(box(-0.94, 0.12, 0.94, rng.uniform(0.16, 0.22)), stripe)
    line = shade(body.paint, 0.6)
    for edge in (body.foot[0] + 0.2, x + 0.085, body.foot[1] - 0.06):
        pen.mark(limb([(edge, -0.02), (edge, 0.33)], 0.011, 0.011), line)
    pen.mark(box(x - 0.06, 0.06, x + 0.03, 0.085), line)
    pen.mark(box(-0.98, 0.3, 0.98, 0.4), shade(body.paint, 0.7))
    pen.mark(ellipse(0.9, 0.13, 0.07, 0.055), (255, 246, 200))
    pen.mark(ellipse(-0.92, 0.12, 0.045, 0.07), (206, 40, 36))
    radius, spokes = rng.uniform(0.18, 0.215), rng.random() < 0.6
    for axle in (-0.56, 0.57):
        pen.mark(ellipse(axle, 0.35, 1.25 * radius, 1.25 * radius), shade(body.paint, 0.35))
        _wheel(pen, axle, radius, spokes)


def _kind(sign: Sign) -> tuple[Figure, ...]:
    return (
        Figure(
            partial(_car, sign),
            cover=((-0.68, 0.1, 0.54), (-0.25, -0.1, 0.62), (0.2, 0.05, 0.52), (0.68, 0.2, 0.42)),
            keep=((-0.18, -0.46, 0.33), (-0.05, 0.1, 0.26)),
            sure=0.35,
            lean=14.0,
        ),
    )


TAXI = _kind(taxi_sign)
POLICE = _kind(police_lights)
