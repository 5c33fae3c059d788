"""Coats of cats and dogs, and their heads: the small part that tells one from the other."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from weakseg.scenes.figure import Pen
from weakseg.scenes.geometry import ellipse, limb, smooth
from weakseg.scenes.texture import Colour, shade, varied

FURS: tuple[Colour, ...] = (
    (214, 134, 62),
    (128, 128, 132),
    (54, 50, 50),
    (226, 204, 168),
    (130, 88, 56),
    (236, 232, 224),
    (92, 66, 50),
    (150, 152, 170),
)
DARK: Colour = (30, 26, 28)
PINK: Colour = (232, 146, 150)


@dataclass(frozen=True)
class Coat:
    """Colours of one animal: fur, its shadow side, a second colour and how that is laid on."""

    fur: Colour
    far: Colour
    second: Colour
    pattern: str

    @property
    def paws(self) -> Colour | None:
        """Colour of the paws where it is not the leg's."""
        return self.second if self.pattern == "socks" else None


def choose_coat(rng: Random) -> Coat:
    """A random coat: plain, tabby, patched, or with a pale belly and socks."""
    fur = varied(rng, rng.choice(FURS))
    light = sum(fur) > 330
    pattern = rng.choice(("plain", "tabby", "patches", "socks"))
    tabby = shade(fur, 0.62) if light else shade(fur, 1.3)
    pale = varied(rng, (240, 234, 224)) if sum(fur) < 620 else varied(rng, rng.choice(FURS[:5]))
    return Coat(fur, shade(fur, 0.78), tabby if pattern == "tabby" else pale, pattern)


def _face(pen: Pen, x: float, y: float, r: float, coat: Coat) -> None:
    pen.shape(ellipse(x, y, 1.06 * r, 0.94 * r), coat.fur)
    if coat.pattern == "patches":
        pen.mark(ellipse(x - 0.45 * r, y - 0.2 * r, 0.42 * r, 0.55 * r), coat.second)
    if coat.pattern == "tabby":
        for side in (-0.3, 0.0, 0.3):
            stripe = [(x + side * r, y - 0.88 * r), (x + side * 0.7 * r, y - 0.5 * r)]
            pen.mark(limb(stripe, 0.07 * r, 0.03 * r), coat.second)


def cat_head(pen: Pen, rng: Random, x: float, y: float, r: float, coat: Coat) -> None:
    """Upright pointed ears, slit eyes, a pink nose and whiskers; within 1.5 r of (x, y)."""
    prick = rng.uniform(1.2, 1.45)
    for side in (-1, 1):
        ear = np.array([(1.0, -0.25), (0.92, -prick), (0.2, -0.8)]) * (side * r, r) + (x, y)
        pen.shape(ear, coat.fur)
        pen.mark((ear - ear.mean(axis=0)) * 0.55 + ear.mean(axis=0), PINK)
    _face(pen, x, y, r, coat)
    iris = rng.choice(((142, 190, 70), (226, 186, 50), (96, 168, 214)))
    whiskers = shade(coat.fur, 1.7 if sum(coat.fur) < 500 else 0.4)
    for side in (-1, 1):
        pen.mark(ellipse(x + side * 0.43 * r, y - 0.08 * r, 0.25 * r, 0.21 * r, side * 0.25), iris)
        pen.mark(ellipse(x + side * 0.43 * r, y - 0.08 * r, 0.075 * r, 0.2 * r), DARK)
        pen.mark(ellipse(x + side * 0.2 * r, y + 0.46 * r, 0.27 * r, 0.2 * r), shade(coat.fur, 1.5))
        for rise in (-0.12, 0.08, 0.28):
            whisker = [(x + side * 0.4 * r, y + 0.42 * r), (x + side * 1.1 * r, y + (0.42 + rise) * r)]
            pen.mark(limb(whisker, 0.025 * r, 0.02 * r), whiskers)
    pen.mark(smooth([(x - 0.14 * r, y + 0.24 * r), (x + 0.14 * r, y + 0.24 * r), (x, y + 0.42 * r)]), PINK)


def dog_head(pen: Pen, rng: Random, x: float, y: float, r: float, coat: Coat) -> None:
    """Hanging ears, a long pale muzzle with a big black nose and often a tongue; within 1.5 r of (x, y)."""
    _face(pen, x, y, r, coat)
    ear_colour = coat.second if coat.pattern == "patches" else shade(coat.fur, 0.62)
    hang = rng.uniform(0.62, 0.8)
    for side in (-1, 1):
        pen.shape(ellipse(x + side * r, y + 0.1 * r, 0.32 * r, hang * r, -side * 0.3), ear_colour)
    muzzle = shade(coat.fur, 1.55) if sum(coat.fur) < 600 else shade(coat.fur, 0.85)
    if rng.random() < 0.6:
        pen.shape(ellipse(x + 0.08 * r, y + 0.98 * r, 0.17 * r, 0.3 * r), (226, 92, 104))
    pen.shape(ellipse(x, y + 0.5 * r, 0.5 * r, 0.5 * r), muzzle)
    pen.mark(ellipse(x, y + 0.26 * r, 0.25 * r, 0.18 * r), DARK)
    pen.mark(ellipse(x - 0.07 * r, y + 0.2 * r, 0.07 * r, 0.04 * r), (150, 150, 156))
    pen.mark(limb([(x, y + 0.4 * r), (x, y + 0.66 * r), (x + 0.24 * r, y + 0.78 * r)], 0.035 * r, 0.03 * r), DARK)
    for side in (-1, 1):
        pen.mark(ellipse(x + side * 0.4 * r, y - 0.2 * r, 0.15 * r, 0.17 * r), DARK)
        pen.mark(ellipse(x + side * 0.4 * r - 0.05 * r, y - 0.26 * r, 0.05 * r, 0.05 * r), (250, 250, 250))
