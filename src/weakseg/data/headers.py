"""What the header of a picture tells without its pixels: bits, bands, and which way up it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

ORIENTATION, BITS, BANDS, SAMPLE_FORMAT, EXTRA_SAMPLES = 0x0112, 258, 277, 339, 338  # tags of TIFF and EXIF
MEANINGLESS = 0  # of EXTRA_SAMPLES: a band of no stated meaning
_TIFF = (b"II*\0", b"MM\0*")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating point"}


class Openable(Protocol):
    """A path, or what opens as one does."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """The content as a file."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Attributes:
        mode: PIL's name for its bands and bits.
        size: (H, W) as stored.
        orientation: EXIF's, 1..8; 1 is upright.
        deep: more than 8 bits in one band, so that a range of values must be chosen.
        cut: more than 8 bits in each of several bands, of which the upper 8 are read.
        fourth: a TIFF with a fourth band.
    """

    mode: str
    size: tuple[int, int]
    orientation: int
    deep: bool
    cut: bool
    fourth: bool

    @property
    def sideways(self) -> bool:
        """Whether the picture is shown with width and height exchanged."""
        return self.orientation >= 5


def read_header(path: Path) -> Header | None:
    """The header of a picture; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            mode, (width, height) = image.mode, image.size
            raw = str(image.tile[0].args) if image.tile else ""
            orientation = int(image.getexif().get(ORIENTATION, 1))
            tiff = image.format == "TIFF"
    except Exception:  # on broken files the decoders raise nearly anything; reading the pixels tells what
        return None
    return Header(
        mode,
        (height, width),
        orientation if orientation in _TURNS else 1,
        deep=is_deep(mode),
        cut=mode in ("RGB", "RGBA", "LA") and ";16" in raw,
        fourth=tiff and mode == "RGBA",
    )


def is_deep(mode: str) -> bool:
    """Whether PIL's mode holds one band of more than 8 bits."""
    return mode in ("I", "F") or mode.startswith("I;16")


def upright_as(photo: Path, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn a mask that was drawn on the picture as stored the way that EXIF turns the picture.

    Sizes decide: a mask of the upright picture's size stays as it is, and so does one of any other size.

    Args:
        photo: the picture's file.
        mask: uint8 (H, W).
    """
    header = read_header(photo)
    if header is None or not is_stored_way(header, (mask.shape[0], mask.shape[1])):
        return mask
    return np.array(Image.fromarray(mask).transpose(_TURNS[header.orientation]))


def is_stored_way(header: Header, mask_size: tuple[int, int]) -> bool:
    """Whether a mask of this size (H, W) fits the picture as stored, and not as EXIF shows it."""
    return header.sideways and mask_size == header.size and mask_size != header.size[::-1]


def bands_of_tiff(path: Openable) -> str | None:
    """Bands and bits of a TIFF that PIL cannot read, in words; None if it is no TIFF."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if not start.startswith(_TIFF):
                return None
            directory = ImageFileDirectory_v2(start)
            file.seek(directory.next)
            directory.load(file)
            bits = directory.get(BITS, (1,))
            bands, kind = directory.get(BANDS, len(bits)), directory.get(SAMPLE_FORMAT, (1,))
    except Exception:  # broken in one of many ways
        return None
    kinds = _FORMATS.get(kind[0] if isinstance(kind, tuple) else kind, "other")
    return f"{bands} bands of {bits[0]} bits, {kinds}"
