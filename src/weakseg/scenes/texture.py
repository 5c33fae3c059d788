"""Colours and noise. The noise is cut from two tables made once per process from a fixed seed."""

from __future__ import annotations

import colorsys
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
Field = NDArray[np.float32]

_SIDE = 512


@cache
def _fractal() -> NDArray[np.uint8]:
    """1/f noise, spread evenly over 0..255: uint8 (2 * _SIDE, 2 * _SIDE), one tile laid four times."""
    white = np.random.default_rng(20231).standard_normal((_SIDE, _SIDE))
    fy, fx = np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.fftfreq(_SIDE), indexing="ij")
    strength = np.hypot(fy, fx)
    strength[0, 0] = np.inf
    noise = np.fft.ifft2(np.fft.fft2(white) / strength**1.25).real
    ranks = np.empty(noise.size, dtype=np.int64)
    ranks[np.argsort(noise, axis=None)] = np.arange(noise.size)
    return np.tile((ranks * 256 // noise.size).astype(np.uint8).reshape(noise.shape), (2, 2))


@cache
def _grain() -> Field:
    """White Gaussian noise of deviation 1, float32 (_SIDE, _SIDE, 3), partly shared by the three channels."""
    rng = np.random.default_rng(20232)
    noise = 0.8 * rng.standard_normal((_SIDE, _SIDE, 1)) + 0.6 * rng.standard_normal((_SIDE, _SIDE, 3))
    return noise.astype(np.float32)


def fractal(rng: Random, height: int, width: int, zoom: tuple[float, float] = (2.0, 2.0)) -> Field:
    """Cloud-like noise in [0, 1], (height, width), each at most 512; ``zoom`` (>= 1, down and across) stretches it."""
    rows, columns = max(1, round(height / zoom[0])), max(1, round(width / zoom[1]))
    top, left = int(rng.random() * _SIDE), int(rng.random() * _SIDE)
    piece = _fractal()[top : top + rows, left : left + columns]
    if zoom != (1.0, 1.0):
        piece = np.asarray(Image.fromarray(piece).resize((width, height), Image.Resampling.BILINEAR))
    return piece * np.float32(1 / 255)


def grain(rng: Random, height: int, width: int) -> Field:
    """Camera noise of deviation 1, (height, width, 3), height and width at most 512."""
    top, left = int(rng.random() * (_SIDE - height)), int(rng.random() * (_SIDE - width))
    return _grain()[top : top + height, left : left + width]


def mix(first: Colour, second: Colour, share: Field) -> Field:
    """Colours between two, by ``share`` (h, w) of the second; returns float32 (h, w, 3) in 0..255."""
    return np.dstack([share * np.float32(b - a) + np.float32(a) for a, b in zip(first, second, strict=True)])


def spread(field: Field) -> Field:
    """(h, w) -> (h, w, 3). Copied, because numpy is slow at broadcasting over a last axis of 3."""
    return np.dstack((field, field, field))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB 0..255 of a hue (a turn is 1; wraps), saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or, towards white, lighter (factor > 1; 2 is white)."""
    if factor <= 1:
        red, green, blue = (round(c * factor) for c in colour)
    else:
        red, green, blue = (round(c + (255 - c) * (factor - 1)) for c in colour)
    return red, green, blue


def varied(rng: Random, colour: Colour, amount: float = 14.0) -> Colour:
    """The colour moved by up to ``amount`` levels, mostly together in all channels."""
    common = rng.uniform(-amount, amount)
    red, green, blue = (min(255, max(0, round(c + common + rng.uniform(-0.4, 0.4) * amount))) for c in colour)
    return red, green, blue
