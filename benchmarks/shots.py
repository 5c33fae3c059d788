"""Screenshots for pages: a browser of the tests, and pictures small enough to be kept in the repository."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from weakseg.errors import WeaksegError
from weakseg.files import replacing

TESTS = Path(__file__).resolve().parents[1] / "tests"
# browser.py and reviewing.py, which the tests of the pages take too, and the toys, whose settings their runs have.
sys.path[:0] = [str(TESTS), str(TESTS / "toys")]


def keep(png: bytes, out: Path, most: int, width: int | None = None) -> None:
    """Write a screenshot as WebP or PNG, by the suffix, with the best quality that at most ``most`` kB allow.

    Args:
        png: the screenshot.
        out: the file.
        most: kB.
        width: to shrink to, in pixels.

    Raises:
        WeaksegError: no quality is small enough.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if width is not None and width < picture.width:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    for content in _qualities(picture, out.suffix):
        if len(content) <= 1000 * most:
            with replacing(out) as temporary:
                temporary.write_bytes(content)
            print(f"{out}: {len(content) / 1000:.0f} kB")
            return
    raise WeaksegError(f"{out}: takes more than {most} kB at the lowest quality; show less")


def _qualities(picture: Image.Image, suffix: str) -> Iterator[bytes]:
    """The picture, encoded from the best quality to the lowest."""
    for step in range(5):
        file = io.BytesIO()
        if suffix == ".webp":
            picture.save(file, "WEBP", quality=90 - 10 * step, method=6)
        else:
            picture.quantize(256 >> step, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        yield file.getvalue()


def png(picture: Image.Image) -> bytes:
    """A picture as PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def embedded(content: bytes) -> str:
    """A PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
