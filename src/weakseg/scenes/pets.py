"""Cats and dogs: the same bodies and coats; only the small head tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi
from random import Random

from weakseg.scenes.figure import Figure, Pen
from weakseg.scenes.geometry import Points, ellipse, limb, smooth
from weakseg.scenes.heads import Coat, cat_head, choose_coat, dog_head
from weakseg.scenes.texture import Colour

Head = Callable[[Pen, Random, float, float, float, Coat], None]


def _leg(pen: Pen, hip: tuple[float, float], foot: tuple[float, float], coat: Coat, fur: Colour) -> None:
    knee = (0.5 * (hip[0] + foot[0]) - 0.03, 0.5 * (hip[1] + foot[1]))
    pen.shape(limb([hip, knee, foot], 0.115, 0.075), fur)
    pen.shape(ellipse(foot[0] + 0.04, foot[1] + 0.02, 0.11, 0.065), coat.paws or fur)


def _patterned(pen: Pen, rng: Random, coat: Coat, x: float, y: float, rx: float, ry: float) -> None:
    """The coat's pattern on a body that fills the ellipse."""
    if coat.pattern == "tabby":
        for place in (-0.6, -0.3, 0.0, 0.3, 0.6):
            left, top = x + place * rx, y - ry * (1 - place**2) ** 0.5
            pen.mark(limb([(left, top), (left - 0.04, top + ry * rng.uniform(0.6, 1.1))], 0.05, 0.015), coat.second)
    if coat.pattern == "patches":
        for _ in range(4):
            spot = x + rng.uniform(-0.8, 0.6) * rx, y + rng.uniform(-0.8, 0.5) * ry
            pen.mark(ellipse(*spot, rng.uniform(0.1, 0.22), rng.uniform(0.08, 0.18), rng.uniform(0, pi)), coat.second)


def _tail(pen: Pen, rng: Random, root: tuple[float, float], coat: Coat) -> None:
    lift = rng.uniform(-0.5, 0.1)
    middle = (root[0] - 0.24, root[1] - 0.05 + 0.3 * lift)
    tip = (root[0] - rng.uniform(0.24, 0.38), root[1] + lift)
    pen.shape(limb([root, middle, tip], 0.085, rng.uniform(0.04, 0.075)), coat.fur)


def _standing(head: Head, pen: Pen, rng: Random) -> None:
    coat = choose_coat(rng)
    length, depth, legs = rng.uniform(0.5, 0.58), rng.uniform(0.23, 0.3), rng.uniform(0.3, 0.5)
    ground = 0.18 + legs
    swing = [rng.uniform(-0.12, 0.12) for _ in range(4)]
    _tail(pen, rng, (-length, -0.02), coat)
    _leg(pen, (-0.3, 0.12), (-0.34 + swing[0], ground - 0.03), coat, coat.far)
    _leg(pen, (0.34, 0.12), (0.38 + swing[1], ground - 0.03), coat, coat.far)
    x, y = 0.62 + rng.uniform(-0.04, 0.04), -0.34 + rng.uniform(-0.06, 0.1)
    pen.shape(limb([(0.28, 0.0), (x - 0.04, y + 0.05)], 0.22, 0.16), coat.fur)
    pen.shape(_trunk(length, depth), coat.fur)
    if coat.pattern == "socks":
        pen.mark(ellipse(-0.02, 0.06 + depth, 0.8 * length, 0.1), coat.second)
    _patterned(pen, rng, coat, -0.06, 0.04, length, depth)
    _leg(pen, (-0.38, 0.1), (-0.4 + swing[2], ground), coat, coat.fur)
    _leg(pen, (0.26, 0.12), (0.28 + swing[3], ground), coat, coat.fur)
    head(pen, rng, x, y, rng.uniform(0.22, 0.26), coat)


def _trunk(length: float, depth: float) -> Points:
    back, belly = 0.04 - depth, 0.04 + depth
    return smooth(
        [(-length - 0.04, 0.0), (-0.75 * length, back + 0.02), (0.0, back + 0.04), (0.7 * length, back),
         (length, 0.0), (0.75 * length, belly), (0.0, belly - 0.02), (-0.75 * length, belly)]
    )  # fmt: skip


def _sitting(head: Head, pen: Pen, rng: Random) -> None:
    coat = choose_coat(rng)
    hips, chest = rng.uniform(0.36, 0.46), rng.uniform(0.22, 0.28)
    side = rng.choice((-1, 1))
    sweep = rng.uniform(0.1, 0.55)
    tail = [(side * 0.3, 0.66), (side * (hips + 0.2), 0.62), (side * (hips + 0.28), sweep)]
    pen.shape(limb(tail, 0.09, 0.06), coat.fur)
    y = rng.uniform(-0.5, -0.42)
    body = [(-hips, 0.66), (-hips - 0.03, 0.4), (-chest, 0.0), (-0.15, y + 0.1), (0.15, y + 0.1),
            (chest, 0.0), (hips + 0.03, 0.4), (hips, 0.66), (0.0, 0.74)]  # fmt: skip
    pen.shape(smooth(body), coat.fur)
    _patterned(pen, rng, coat, 0.0, 0.3, 0.9 * hips, 0.38)
    if coat.pattern == "socks":
        pen.mark(ellipse(0, 0.06, 0.7 * chest, 0.26), coat.second)
    for edge in (-1, 1):
        pen.mark(ellipse(edge * (hips - 0.06), 0.56, 0.15, 0.18), coat.far)
        pen.shape(ellipse(edge * (hips - 0.02), 0.72, 0.15, 0.075), coat.paws or coat.fur)
    for edge in (-1, 1):
        _leg(pen, (edge * 0.13, 0.16), (edge * 0.13 - 0.02, 0.72), coat, coat.fur)
        pen.mark(limb([(edge * 0.26, 0.28), (edge * 0.245, 0.68)], 0.012, 0.012), coat.far)
    head(pen, rng, rng.uniform(-0.06, 0.06), y, rng.uniform(0.25, 0.29), coat)


def _pet(head: Head) -> tuple[Figure, ...]:
    return (
        Figure(
            partial(_standing, head),
            cover=(
                (-0.78, -0.24, 0.42),
                (-0.36, 0.3, 0.5),
                (-0.05, 0.05, 0.44),
                (0.34, 0.3, 0.52),
                (0.62, -0.36, 0.5),
            ),
            keep=((0.63, -0.34, 0.33), (0.12, 0.04, 0.24)),
            sure=0.36,
        ),
        Figure(
            partial(_sitting, head),
            cover=((0.0, 0.42, 0.6), (0.0, -0.02, 0.42), (0.0, -0.5, 0.52), (-0.6, 0.4, 0.42), (0.6, 0.4, 0.42)),
            keep=((0.0, -0.46, 0.38), (0.0, 0.2, 0.22)),
            sure=0.43,
        ),
    )


CAT = _pet(cat_head)
DOG = _pet(dog_head)
