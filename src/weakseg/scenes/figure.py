"""What a figure is, and the pen that draws one anti-aliased together with its exact silhouette."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, radians, sin
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from weakseg.scenes.geometry import Points
from weakseg.scenes.texture import Colour

SCALE = 2  # supersampling of the pen, per side

Disc = tuple[float, float, float]  # x, y, radius
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, right and bottom excluded


@dataclass(frozen=True)
class Pose:
    """Where a figure stands: picture position of its origin and the map from its unit coordinates.

    Attributes:
        x, y: the origin in pixels.
        unit: pixels per unit of the figure.
        angle: rotation in degrees, clockwise.
        stretch: extra width (> 1) or slimness (< 1); height changes the other way.
        flip: mirrored left to right.
    """

    x: float
    y: float
    unit: float
    angle: float = 0.0
    stretch: float = 1.0
    flip: bool = False

    def matrix(self) -> NDArray[np.float64]:
        """The (2, 2) map from unit coordinates (as columns) to pixels, without the origin."""
        (a, b), (c, d) = self._rows()
        return np.array([[a, b], [c, d]])

    def disc(self, disc: Disc) -> Disc:
        """A disc in pixels that holds the image of a disc in unit coordinates."""
        (a, b), (c, d) = self._rows()
        x, y, radius = disc
        reach = self.unit * max(self.stretch, 1 / self.stretch)
        return self.x + a * x + b * y, self.y + c * x + d * y, radius * reach

    def _rows(self) -> tuple[tuple[float, float], tuple[float, float]]:
        across, down = self.unit * self.stretch, self.unit / self.stretch
        c, s = cos(radians(self.angle)), sin(radians(self.angle))
        mirror = -1.0 if self.flip else 1.0
        return (c * across * mirror, -s * down), (s * across * mirror, c * down)


class Pen:
    """Draws polygons of one figure into its own small canvas, supersampled.

    Args:
        pose: the figure's place.
        box: the part of the picture that the canvas covers.
        coloured: False draws the silhouette alone.
    """

    def __init__(self, pose: Pose, box: Box, *, coloured: bool = True) -> None:
        left, top, right, bottom = box
        size = ((right - left) * SCALE, (bottom - top) * SCALE)
        self._matrix = SCALE * pose.matrix().T
        self._origin = SCALE * np.array([pose.x - left, pose.y - top])
        self._alpha = Image.new("L", size)
        self._silhouette = ImageDraw.Draw(self._alpha)
        self._colour = Image.new("RGB", size) if coloured else None
        self._paint = ImageDraw.Draw(self._colour) if self._colour is not None else None

    def shape(self, outline: Points, fill: Colour) -> None:
        """Fill an outline (n, 2) that belongs to the figure's silhouette."""
        corners = self._to_canvas(outline)
        self._silhouette.polygon(corners, fill=255)
        if self._paint is not None:
            self._paint.polygon(corners, fill=fill)

    def mark(self, outline: Points, fill: Colour) -> None:
        """Fill an outline on the figure; what falls beside its silhouette stays unseen."""
        if self._paint is not None:
            self._paint.polygon(self._to_canvas(outline), fill=fill)

    def alpha(self) -> Image.Image:
        """The silhouette's coverage, mode L, 0..255, at picture resolution."""
        return self._alpha.reduce(SCALE)

    def colour(self) -> Image.Image:
        """The figure's colours times its coverage (premultiplied), mode RGB, at picture resolution."""
        if self._colour is None:
            raise ValueError("this pen draws the silhouette alone")
        black = Image.new("RGB", self._colour.size)
        return Image.composite(self._colour, black, self._alpha).reduce(SCALE)

    def _to_canvas(self, outline: Points) -> list[float]:
        corners: list[float] = (outline @ self._matrix + self._origin).ravel().tolist()
        return corners


@dataclass(frozen=True)
class Figure:
    """Something that can be drawn, and what a layout must know of it without drawing.

    All in unit coordinates (origin near the middle, most figures within -1..1), for every random variation.

    Attributes:
        draw: draws one with the pen; the generator chooses its colours, proportions and attitude.
        cover: discs that together hold the whole silhouette.
        keep: discs that nothing may hide: the telling part and enough of the body.
        sure: area of silhouette (units squared) that ``keep`` certainly shows.
        lean: largest rotation in degrees.
    """

    draw: Callable[[Pen, Random], None]
    cover: tuple[Disc, ...]
    keep: tuple[Disc, ...] = ()
    sure: float = 0.0
    lean: float = 20.0
