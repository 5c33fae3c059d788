"""What lies over a photo, as pictures with transparency, and both as small files for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import resize_image, resize_mask, working_size
from weakseg.data.sample import BACKGROUND, IGNORE, Array, Classes
from weakseg.ops.maps import resize_maps
from weakseg.refine.background import foreground

SIZES = (480, 400, 320, 256, 208, 160, 128, 96, 64)
"""Long sides of a photo on the page, in pixels, of which the largest is taken whose files fit."""
QUALITIES = (78, 60, 40)
"""Of WebP, for each size."""
STEPS = 12
"""Of a class map's strength, where that few classes share the 255 colours of a PNG."""
HOPELESS = 1.5
"""Times the room that a size is expected to take from which it is not tried."""
Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """A picture of few colours.

    Attributes:
        indices: uint8 (H, W), each into ``colours``.
        colours: red, green, blue and opacity, 0 to 255.
    """

    indices: Array
    colours: tuple[Colour, ...]


def present(values: Array) -> Array:
    """The values that an array of uint8 holds, ascending."""
    return np.flatnonzero(np.bincount(values.ravel(), minlength=256)).astype(np.uint8)


def mask_layer(labels: Array, classes: Classes) -> Layer:
    """Labels (H, W) in the classes' colours: background is clear, 255 white."""
    colours: list[Colour] = []
    held = present(labels)
    for label in held.tolist():
        if label in (BACKGROUND, IGNORE):
            colours.append((0, 0, 0, 0) if label == BACKGROUND else (255, 255, 255, 255))
        else:
            colours.append((*classes.palette[classes.values[label - 1]], 255))
    return Layer(np.searchsorted(held, np.arange(256)).astype(np.uint8)[labels], tuple(colours))


def map_layer(maps: ClassMaps, classes: Classes, size: tuple[int, int]) -> Layer:
    """Class maps at a size (h, w): each pixel in the colour of its strongest class, as opaque as that is strong."""
    found = foreground(maps)
    if not found.classes:
        return Layer(np.zeros(size, np.uint8), ((0, 0, 0, 0),))
    strength, winner = resize_maps(found.scores, size).clamp(0, 1).max(dim=0)
    steps = max(1, min(STEPS, 254 // len(found.classes)))
    step = (strength * steps).round().long()
    indices = (step > 0) * (1 + winner * steps + step - 1)
    colours: list[Colour] = [(0, 0, 0, 0)]
    for label in found.classes:
        colour = classes.palette[classes.values[label - 1]]
        colours += [(*colour, round(255 * number / steps)) for number in range(1, steps + 1)]
    return Layer(indices.numpy().astype(np.uint8), tuple(colours))


def encoded(photo: Array, layers: Mapping[str, Layer], room: int) -> dict[str, str]:
    """A photo and its layers as data URIs, as large and as good as fits.

    Args:
        photo: uint8 RGB (H, W, 3).
        layers: by name; of any size, they are shrunk to the photo's.
        room: characters that all URIs together may take. The smallest form is taken even where it is longer.

    Returns:
        URIs by name of the layer; "photo" is the photo's.
    """
    shape = (photo.shape[0], photo.shape[1])
    found: dict[str, str] = {}
    density = 0.0  # characters per pixel of what was too long, in its smallest form
    for size in dict.fromkeys(working_size(shape, side) for side in SIZES):  # a photo is not made larger
        if density * size[0] * size[1] > HOPELESS * room and size != working_size(shape, SIZES[-1]):
            continue
        small = resize_image(photo, size)
        found = {name: _png(layer, size) for name, layer in layers.items()}
        left = room - sum(map(len, found.values()))
        for quality in QUALITIES:
            found["photo"] = _webp(small, quality)
            if len(found["photo"]) <= left:
                return found
            if len(found["photo"]) > 4 * max(left, 0):  # no quality helps
                break
        density = sum(map(len, found.values())) / (size[0] * size[1])
    return found


def _png(layer: Layer, size: tuple[int, int]) -> str:
    indices = resize_mask(layer.indices, size)
    used = present(indices)
    colours = [layer.colours[index] for index in used.tolist()]
    image = Image.fromarray(np.searchsorted(used, np.arange(256)).astype(np.uint8)[indices])
    image.putpalette([channel for colour in colours for channel in colour[:3]])
    file = io.BytesIO()
    bits = next(bits for bits in (1, 2, 4, 8) if len(colours) <= 1 << bits)
    image.save(file, "PNG", transparency=bytes(colour[3] for colour in colours), bits=bits, compress_level=7)
    return _uri("png", file.getvalue())


def _webp(photo: Array, quality: int) -> str:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "WEBP", quality=quality, method=4)
    return _uri("webp", file.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
