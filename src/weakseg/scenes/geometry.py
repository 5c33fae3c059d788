"""Outlines: small polygons in a figure's own unit coordinates (x to the right, y down)."""

from __future__ import annotations

from functools import cache
from math import cos, sin, tau

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


@cache
def _circle(corners: int) -> Points:
    angle = np.linspace(0.0, tau, corners, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@cache
def _spline(steps: int) -> tuple[Points, Points]:
    """Catmull-Rom weights (steps, 4) at t = 0, 1/steps, ... and their slopes."""
    t = np.linspace(0.0, 1.0, steps, endpoint=False)
    one = np.ones_like(t)
    weights = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    slopes = [-one + 4 * t - 3 * t**2, -10 * t + 9 * t**2, one + 8 * t - 9 * t**2, 3 * t**2 - 2 * t]
    return 0.5 * np.stack(weights, axis=1), 0.5 * np.stack(slopes, axis=1)


@cache
def _closed(corners: int, steps: int) -> Points:
    """The matrix (corners * steps, corners) that rounds a closed outline."""
    matrix = np.zeros((corners * steps, corners))
    for corner in range(corners):
        for k in range(4):
            matrix[corner * steps : (corner + 1) * steps, (corner + k - 1) % corners] += _spline(steps)[0][:, k]
    return matrix


@cache
def _open(corners: int, steps: int) -> tuple[Points, Points]:
    """Matrices ((corners - 1) * steps + 1, corners) of an open curve and of its direction; end corners count twice."""
    place, direction = (np.zeros(((corners - 1) * steps + 1, corners)) for _ in range(2))
    for corner in range(corners - 1):
        rows = slice(corner * steps, (corner + 1) * steps)
        for k in range(4):
            column = min(max(corner + k - 1, 0), corners - 1)
            place[rows, column] += _spline(steps)[0][:, k]
            direction[rows, column] += _spline(steps)[1][:, k]
    place[-1, -1] = 1.0
    direction[-1, -2:] = -1.0, 1.0
    return place, direction


@cache
def _cap() -> tuple[Points, Points]:
    """Cosines and sines (5, 1) of the inner points of a half circle."""
    angle = np.linspace(0.0, tau / 2, 7)[1:-1, None]
    return np.cos(angle), np.sin(angle)


def turned(points: Points, angle: float) -> Points:
    """The points (n, 2) turned clockwise (y is down) about the origin by ``angle`` radians."""
    c, s = cos(angle), sin(angle)
    turn: Points = np.array([[c, s], [-s, c]])
    return np.asarray(points @ turn)


def ellipse(x: float, y: float, rx: float, ry: float, tilt: float = 0.0, corners: int = 28) -> Points:
    """An ellipse as a polygon (corners, 2), turned by ``tilt`` radians about its centre (x, y)."""
    points = _circle(corners) * (rx, ry)
    return (turned(points, tilt) if tilt else points) + (x, y)


def smooth(corners: ArrayLike, steps: int = 6) -> Points:
    """A closed Catmull-Rom curve through the corners (n, 2); returns (n * steps, 2)."""
    points = np.asarray(corners, dtype=np.float64)
    return _closed(len(points), steps) @ points


def limb(corners: ArrayLike, start: float, end: float, steps: int = 5) -> Points:
    """A rounded band along an open curve through the corners (n >= 2, 2).

    ``start`` and ``end`` are its half widths at the first and the last corner.
    """
    points = np.asarray(corners, dtype=np.float64)
    place, direction = _open(len(points), steps)
    path, ahead = place @ points, direction @ points
    ahead /= np.sqrt(ahead[:, :1] ** 2 + ahead[:, 1:] ** 2)
    normal = ahead[:, ::-1] * (-1.0, 1.0)
    width = np.linspace(start, end, len(path))[:, None] * normal
    cosine, sine = _cap()
    tip = path[-1] + end * (normal[-1] * cosine + ahead[-1] * sine)
    tail = path[0] - start * (normal[0] * cosine + ahead[0] * sine)
    return np.concatenate([path + width, tip, (path - width)[::-1], tail])


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """A rectangle, (4, 2)."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
