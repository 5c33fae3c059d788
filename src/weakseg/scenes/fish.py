"""Fish: told by the whole body, in many colours."""

from __future__ import annotations

from random import Random

from weakseg.scenes.birds import DARK, WHITE, draw_eye
from weakseg.scenes.figure import Figure, Pen
from weakseg.scenes.geometry import ellipse, limb, smooth
from weakseg.scenes.texture import Colour, hsv, shade, varied


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
