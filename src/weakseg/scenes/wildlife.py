"""Birds, perched or flying, and fish: told by the whole body, in many colours."""

from __future__ import annotations

from random import Random

import numpy as np

from weakseg.scenes.figure import Figure, Pen
from weakseg.scenes.geometry import Points, ellipse, limb, smooth
from weakseg.scenes.texture import Colour, hsv, shade, varied

DARK: Colour = (28, 26, 30)
WHITE: Colour = (248, 248, 244)


def draw_eye(pen: Pen, x: float, y: float, r: float) -> None:
    """A round eye of radius r that looks to the right."""
    pen.mark(ellipse(x, y, r, r), WHITE)
    pen.mark(ellipse(x + 0.2 * r, y, 0.62 * r, 0.62 * r), DARK)
    pen.mark(ellipse(x + 0.02 * r, y - 0.25 * r, 0.2 * r, 0.2 * r), WHITE)


def _perched(pen: Pen, rng: Random) -> None:
    coat, breast, wing = _plumage(rng)
    legs = (222, 140, 50)
    for x in (-0.02, 0.14):
        pen.shape(limb([(x, 0.4), (x + 0.02, 0.74)], 0.03, 0.025), legs)
        pen.shape(limb([(x - 0.05, 0.75), (x + 0.14, 0.76)], 0.028, 0.022), legs)
    _tail(pen, rng, wing)
    _trunk(pen, rng, coat, breast)
    fold = rng.uniform(-0.1, 0.12)
    pen.mark(smooth([(0.2, -0.02), (0.0, -0.2), (-0.34, -0.1), (-0.72, 0.16 + fold), (-0.3, 0.26), (0.08, 0.2)]), wing)
    for row in (0.06, 0.14):
        feather = [(0.02, row), (-0.3, row + 0.06), (-0.5, row + 0.06 + 0.5 * fold)]
        pen.mark(limb(feather, 0.014, 0.01), shade(wing, 0.7))


def _flying(pen: Pen, rng: Random) -> None:
    coat, breast, wing = _plumage(rng)
    reach = rng.uniform(0.72, 0.9)
    pen.shape(_wing(0.2, reach), shade(wing, 0.75))
    _tail(pen, rng, wing)
    _trunk(pen, rng, coat, breast)
    pen.shape(_wing(0.0, reach), wing)
    for part in (0.35, 0.6, 0.85):
        root, end = np.array((0.02, 0.0)), np.array((-0.34, -0.95 * reach))
        tip = root + part * (end - root) + (-0.16, 0.14)
        pen.mark(limb([root + part * 0.8 * (end - root), tip], 0.016, 0.01), shade(wing, 0.7))


def _wing(shift: float, reach: float) -> Points:
    corners = [(0.18, 0.06), (0.16, -0.4), (-0.2, -reach), (-0.46, -reach), (-0.44, -0.5), (-0.36, 0.1), (-0.1, 0.2)]
    return smooth([(x + shift, y) for x, y in corners])


def _plumage(rng: Random) -> tuple[Colour, Colour, Colour]:
    hue = rng.random()
    coat = hsv(hue, rng.uniform(0.35, 0.8), rng.uniform(0.4, 0.92))
    breast = rng.choice((WHITE, hsv(hue + 0.5, 0.6, 0.9), (240, 170, 70), shade(coat, 1.5)))
    wing = rng.choice((shade(coat, 0.66), shade(coat, 1.35), hsv(hue + rng.uniform(0.1, 0.3), 0.6, 0.6)))
    return coat, breast, wing


def _tail(pen: Pen, rng: Random, colour: Colour) -> None:
    droop = rng.uniform(-0.12, 0.2)
    for spread in (-0.1, 0.0, 0.1):
        pen.shape(limb([(-0.3, 0.08), (-0.92, 0.1 + droop + spread)], 0.09, 0.05), shade(colour, 0.9 - spread))


def _trunk(pen: Pen, rng: Random, coat: Colour, breast: Colour) -> None:
    """Body, head, beak and eye; the face is at (0.45, -0.33)."""
    x, y, r = 0.45, -0.33, rng.uniform(0.23, 0.28)
    if rng.random() < 0.4:
        for lean in (-0.24, -0.1, 0.04):
            pen.shape(limb([(x - 0.04, y - 0.5 * r), (x + lean - 0.1, y - r - 0.15)], 0.05, 0.015), shade(coat, 0.7))
    beak, gape = rng.choice(((246, 176, 40), (232, 110, 40), (70, 66, 70))), rng.uniform(0.3, 0.46)
    pen.shape(np.array([(x + 0.7 * r, y - 0.09), (x + r + gape * 0.6, y + 0.05), (x + 0.7 * r, y + 0.13)]), beak)
    back = [(-0.52, 0.06), (-0.3, -0.2), (0.1, -0.32), (0.45, -0.4)]
    belly = [(0.6, -0.1), (0.42, 0.28), (0.08, 0.46), (-0.3, 0.34)]
    pen.shape(smooth(back + belly), coat)
    pen.shape(ellipse(x, y, r, r), coat)
    pen.mark(smooth([(0.56, -0.14), (0.5, 0.14), (0.3, 0.34), (0.06, 0.44), (0.1, 0.2), (0.3, -0.06)]), breast)
    pen.mark(limb([(x + 0.75 * r, y + 0.03), (x + r + gape * 0.5, y + 0.05)], 0.012, 0.008), shade(beak, 0.55))
    draw_eye(pen, x + 0.3 * r, y - 0.2 * r, 0.26 * r)


BIRD = (
    Figure(
        _perched,
        cover=((-0.68, 0.14, 0.43), (-0.2, 0.1, 0.51), (0.12, 0.3, 0.52), (0.54, -0.3, 0.48), (0.24, -0.58, 0.28)),
        keep=((0.5, -0.3, 0.32), (0.14, 0.06, 0.26)),
        sure=0.4,
        lean=25.0,
    ),
    Figure(
        _flying,
        cover=(
            (-0.68, 0.14, 0.43),
            (-0.1, 0.1, 0.5),
            (0.2, 0.0, 0.52),
            (-0.1, -0.35, 0.5),
            (-0.3, -0.72, 0.42),
            (0.52, -0.34, 0.52),
        ),
        keep=((0.5, -0.3, 0.32), (0.1, 0.1, 0.24)),
        sure=0.34,
        lean=35.0,
    ),
)


def _fish(pen: Pen, rng: Random) -> None:
    hue, depth = rng.random(), rng.uniform(0.36, 0.5)
    coat = hsv(hue, rng.uniform(0.45, 0.9), rng.uniform(0.55, 0.95))
    fin = rng.choice((shade(coat, 0.68), hsv(hue + 0.12, 0.7, 0.85), hsv(hue + 0.5, 0.5, 0.8)))
    fork, lift = rng.uniform(0.26, 0.44), rng.uniform(0.2, 0.32)
    tail = [(-0.5, 0.0), (-0.78, -fork), (-0.98, -fork - 0.04), (-0.84, 0.0), (-0.98, fork + 0.04), (-0.78, fork)]
    above = [(0.3, -0.8 * depth), (0.05, -depth - lift), (-0.4, -depth - 0.6 * lift), (-0.5, -0.3 * depth)]
    below = [(0.1, 0.8 * depth), (-0.14, depth + 0.7 * lift), (-0.34, depth + 0.3 * lift), (-0.36, 0.5 * depth)]
    for outline in (tail, above, below):
        pen.shape(smooth(outline), fin)
    back = [(-0.66, 0.0), (-0.3, -0.7 * depth), (0.15, -depth), (0.6, -0.66 * depth)]
    belly = [(0.84, 0.02), (0.6, 0.62 * depth), (0.15, depth), (-0.3, 0.7 * depth)]
    pen.shape(smooth(back + belly), coat)
    _scales(pen, rng, hue, coat, depth)
    pen.mark(limb([(0.44, -0.6 * depth), (0.36, 0.0), (0.44, 0.6 * depth)], 0.018, 0.018), shade(coat, 0.62))
    pen.mark(smooth([(0.3, 0.02), (0.02, -0.08), (-0.08, 0.12), (0.06, 0.22)]), fin)
    pen.mark(limb([(0.84, 0.12), (0.74, 0.15), (0.66, 0.12)], 0.02, 0.015), shade(coat, 0.45))
    draw_eye(pen, 0.58, -0.1, rng.uniform(0.09, 0.12))


def _scales(pen: Pen, rng: Random, hue: float, coat: Colour, depth: float) -> None:
    second = rng.choice((WHITE, DARK, hsv(hue + 0.5, 0.6, 0.85), shade(coat, 1.5)))
    pattern = rng.choice(("bands", "spots", "belly"))
    if pattern == "bands":
        for x in (-0.32, -0.02, 0.26):
            band = [(x, -1.02 * depth), (x + 0.06, 0.0), (x, 1.02 * depth)]
            pen.mark(limb(band, 0.05, rng.uniform(0.03, 0.06)), second)
    elif pattern == "spots":
        for _ in range(9):
            r = rng.uniform(0.03, 0.06)
            x, y = rng.uniform(-0.42, 0.3), rng.uniform(-0.6, 0.6) * depth
            pen.mark(ellipse(x, y, r, r, corners=12), varied(rng, second))
    else:
        low = [(-0.6, 0.06), (0.1, 0.2 * depth), (0.8, 0.1), (0.5, 0.7 * depth), (0.1, depth), (-0.4, 0.7 * depth)]
        pen.mark(smooth(low), second)


FISH = (
    Figure(
        _fish,
        cover=((-0.76, 0.0, 0.57), (-0.16, -0.03, 0.83), (0.36, 0.0, 0.54)),
        keep=((0.54, -0.02, 0.26), (0.12, 0.0, 0.28)),
        sure=0.41,
        lean=40.0,
    ),
)
