"""Pictures and masks on disk: read any mode, write atomically, draw overlays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from weakseg.data.headers import bands_of_tiff, is_deep
from weakseg.data.paths import UNREAD_SUFFIXES
from weakseg.errors import WeaksegError
from weakseg.files import replacing

Array = NDArray[np.uint8]
Palette = Sequence[tuple[int, int, int]]
Levels = tuple[float, float]
Size = tuple[int, int]
Result = TypeVar("Result")

IGNORE = 255
# Raster formats only: PIL would also hand PostScript files to an external interpreter.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP")


@dataclass(frozen=True)
class Encoded:
    """The content of a picture's file that comes from elsewhere than a disk.

    Attributes:
        name: where it comes from, for messages.
        content: the bytes of the file.
    """

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """That of the name, with the dot."""
        return PurePosixPath(self.name).suffix

    def open(self, mode: str = "rb") -> BytesIO:
        """The content as a file."""
        return BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


def read_image(path: Path | Encoded, levels: Levels | None = None) -> Array:
    """Read a picture of any mode as uint8 RGB (H, W, 3), turned upright by its EXIF tag.

    Transparent parts become white; the fourth band of a TIFF counts as opacity only where it looks like one
    (``is_opacity``). Grey of more than 8 bits is scaled from ``levels`` to 0..255.

    Args:
        path: the file, or its content.
        levels: the values that become black and white, of pictures of more than 8 bits in one band. Without it 16-bit
            grey is scaled by its full range, and 32-bit integers and floats beyond 0..65535 and 0..1 from their
            minimum to their maximum.

    Raises:
        WeaksegError: the file is missing, truncated, or no picture.
    """
    return _decode(path, lambda image: np.array(_to_rgb(_upright(image), levels)))


def image_array(image: Image.Image, levels: Levels | None = None) -> Array:
    """An open PIL image of any mode as `read_image` reads its file; the image stays as it is.

    Raises:
        WeaksegError: its pixels cannot be read.
    """
    try:
        own = image.copy()
        with suppress(Exception):  # as in _upright
            own = ImageOps.exif_transpose(image)
        own.format = image.format  # copies forget it; of a TIFF the fourth band is looked at
        return np.array(_to_rgb(own, levels))
    except Exception as error:  # on broken files the decoders raise nearly anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeaksegError(f"the PIL image cannot be read ({reason})") from error


def working_size(size: Size, long_side: int | None) -> Size:
    """The size (H, W) at which a photo is looked at: its own, or with the longer side reduced to ``long_side``.

    Example:
        >>> working_size((3024, 4032), 1024), working_size((375, 500), 1024)
        ((768, 1024), (375, 500))
    """
    if long_side is None or max(size) <= long_side:
        return size
    factor = long_side / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def resize_image(image: Array, size: Size) -> Array:
    """A picture, uint8 RGB (H, W, 3), at another size (h, w): bicubic, antialiased; itself where it has the size."""
    if image.shape[:2] == size:
        return image
    return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))


def resize_mask(mask: Array, size: Size) -> Array:
    """A mask or grey picture, uint8 (H, W), at another size (h, w): the nearest value; itself where it has the size."""
    if mask.shape == size:
        return mask
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def read_deep_range(path: Path, percent: float = 0.1) -> Levels:
    """The values that a picture of one deep band uses, but for ``percent`` of the pixels at either end.

    Raises:
        WeaksegError: the file cannot be read.
    """

    def convert(image: ImageFile.ImageFile) -> Levels:
        values = np.asarray(image).astype(np.float64)
        low, high = np.percentile(values[np.isfinite(values)], (percent, 100 - percent), method="nearest")
        return float(low), float(high)

    return _decode(path, convert)


def is_opacity(alpha: Array) -> bool:
    """Whether a fourth band (H, W) is opacity: it is full somewhere, and full or none at most pixels.

    Satellite pictures keep near infrared there, often under the name of opacity.
    """
    return bool(alpha.max() == 255) and float(np.isin(alpha, (0, 255)).mean()) >= 0.5


def read_mask(path: Path) -> Array:
    """Read a mask as uint8 (H, W): palette index or grey value, 255 meaning ignore.

    Raises:
        WeaksegError: the file is missing or broken, a colour picture, a JPEG, or holds
            values over 255.
    """
    return _decode(path, _mask_values)


def encode_mask(values: Array, palette: Palette) -> bytes:
    """The bytes of the file that `write_mask` writes."""
    file = BytesIO()
    _palette_image(values, palette).save(file, format="PNG")
    return file.getvalue()


def write_mask(path: Path, values: Array, palette: Palette) -> None:
    """Write mask values, uint8 (H, W), as a palette PNG with 256 RGB triples; atomic."""
    _save(path, _palette_image(values, palette))


def _palette_image(values: Array, palette: Palette) -> Image.Image:
    image = Image.fromarray(values)
    image.putpalette([channel for colour in palette for channel in colour])
    return image


def write_gray(path: Path, values: Array) -> None:
    """Write uint8 (H, W), such as a confidence of 0..255, as a grey PNG; atomic."""
    _save(path, Image.fromarray(values))


def write_image(path: Path, image: Array) -> None:
    """Write uint8 RGB (H, W, 3) as PNG, or as JPEG where the suffix says so; atomic."""
    _save(path, Image.fromarray(image))


@lru_cache(maxsize=1)
def voc_palette() -> tuple[tuple[int, int, int], ...]:
    """The 256 RGB colours of PASCAL VOC: bits 0, 1, 2 of the value, three by three, fill R, G, B.

    Source: VOCdevkit, VOClabelcolormap.

    Example:
        >>> voc_palette()[8], voc_palette()[255]
        ((64, 0, 0), (224, 224, 192))
    """

    def channel(value: int, bit: int) -> int:
        return sum(((value >> (3 * step + bit)) & 1) << (7 - step) for step in range(8))

    return tuple((channel(value, 0), channel(value, 1), channel(value, 2)) for value in range(256))


def overlay(image: Array, mask: Array, palette: Palette, alpha: float = 0.5) -> Array:
    """Draw a mask over its picture.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: uint8 (H, W) mask values; 0 stays untouched, 255 is washed white.
        palette: RGB triples, indexed by mask value.
        alpha: share of the mask's colour, 0..1.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        WeaksegError: picture and mask differ in size.
    """
    if image.shape[:2] != mask.shape:
        raise WeaksegError(f"cannot overlay a mask of {size_text(mask)} on a picture of {size_text(image)}")
    colours = np.zeros((256, 3), dtype=np.float32)
    colours[: len(palette)] = palette
    colours[IGNORE] = 255
    share = np.where(mask > 0, np.float32(alpha), np.float32(0))[..., None]
    blended: Array = np.rint(image * (1 - share) + colours[mask] * share).astype(np.uint8)
    return blended


def size_text(array: Array) -> str:
    """Size of a picture as people write it: width x height."""
    return f"{array.shape[1]}x{array.shape[0]}"


def _decode(path: Path | Encoded, convert: Callable[[ImageFile.ImageFile], Result]) -> Result:
    """Open a file and convert it; every way it can fail becomes one line that names it."""
    try:
        with Image.open(path.open("rb") if isinstance(path, Encoded) else path, formats=_FORMATS) as image:
            return convert(image)
    except WeaksegError as error:
        raise WeaksegError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise WeaksegError(f"{path}: {_unknown(path)}") from None
    except Exception as error:  # on broken files the decoders raise nearly anything
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0]
        raise WeaksegError(f"{path}: cannot be read ({reason})") from error


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; damaged EXIF data counts as none."""
    image.load()
    with suppress(Exception):  # the pixels are sound, only the tags beside them may not be
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _unknown(path: Path | Encoded) -> str:
    """Why a file that no decoder knows cannot be read, with the way out."""
    bands = bands_of_tiff(path)
    if bands:
        return f"{bands}: not read; save 3 bands of 8 bits, or 1 of 8 or 16 (gdal_translate -b 1 -b 2 -b 3 -scale)"
    if path.suffix.lower() in UNREAD_SUFFIXES:
        return f"{path.suffix.lower()} is not read; convert it to JPEG or PNG"
    if path.suffix.lower() in (".csv", ".tsv", ".json", ".xml", ".txt"):
        return "no picture but a table or list; a data source is given with --data"
    filled = path.content if isinstance(path, Encoded) else path.stat().st_size
    return "no picture in a known format" if filled else "empty file"


def _to_rgb(image: Image.Image, levels: Levels | None) -> Image.Image:
    """Any mode to RGB."""
    if is_deep(image.mode):
        full = 1.0 if image.mode == "F" else 65535.0
        return _gray(np.asarray(image), levels, full)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        pixels = image.convert("RGBA")
        if image.format == "TIFF" and not is_opacity(np.asarray(pixels.getchannel("A"))):
            return pixels.convert("RGB")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), pixels).convert("RGB")
    return image.convert("RGB")


def _gray(values: NDArray[np.generic], levels: Levels | None, full: float) -> Image.Image:
    """Scale ``levels``, else 0..full, to 0..255; without levels, values outside stretch the range."""
    grey = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    if levels is not None:
        low, high = levels
    else:
        low, high = (0.0, full) if grey.min() >= 0 and grey.max() <= full else (grey.min(), grey.max())
    scaled = np.clip((grey - low) * (255 / (high - low or 1)), 0, 255)
    return Image.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB")


def _mask_values(image: ImageFile.ImageFile) -> Array:
    """Pixel values of a mask as its file spells them. Raises WeaksegError without the path."""
    if image.format in ("JPEG", "MPO"):
        raise WeaksegError("a JPEG cannot hold a mask (its values change); save it as palette or grey PNG")
    if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
        raise WeaksegError(f"a mask holds one value per pixel, this is a {image.mode} picture; use palette or grey PNG")
    step = _gray_step(image)
    values = np.asarray(image)
    if values.max() > IGNORE or values.min() < 0:
        raise WeaksegError(f"mask values go from 0 to 255, here from {values.min()} to {values.max()}")
    return values.astype(np.uint8) // np.uint8(step)


def _gray_step(image: ImageFile.ImageFile) -> int:
    """What PIL multiplies 2 and 4-bit grey values by on loading; known only before it loads."""
    arguments = image.tile[0].args if image.tile else ""
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return {"L;2": 85, "L;4": 17}.get(str(raw_mode), 1)


def _save(path: Path, image: Image.Image) -> None:
    """Save atomically, in the format of the suffix: JPEG or PNG."""
    options = {"format": "JPEG", "quality": 90} if path.suffix.lower() in (".jpg", ".jpeg") else {"format": "PNG"}
    with replacing(path) as temporary:
        image.save(temporary, **options)
