"""A contact sheet: titles, rows of pictures with captions, and a legend of names and colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weakseg.data.sample import Array

Colour = tuple[int, int, int]

GAP, LINE, SWATCH = 4, 22, 14
FONT_SIZE = 14


@dataclass(frozen=True)
class Cell:
    """A place of the sheet.

    Attributes:
        picture: uint8 RGB (h, w, 3), no larger than the sheet's cells; None for a blank one.
        label: written into its corner; for a blank cell into the middle.
        colour: behind the label.
    """

    picture: Array | None = None
    label: str = ""
    colour: Colour = (0, 0, 0)


@dataclass(frozen=True)
class Row:
    """Pictures side by side, as many as the sheet has titles, and the line below them."""

    cells: Sequence[Cell]
    caption: str

    def height(self, most: int) -> int:
        """That of its highest picture; ``most`` without one."""
        return max((cell.picture.shape[0] for cell in self.cells if cell.picture is not None), default=most)


@dataclass(frozen=True)
class Sheet:
    """A contact sheet.

    Attributes:
        titles: of the columns; an empty one goes on with the column before.
        rows: of the photos.
        legend: colour by name.
        size: (height, width) of a cell in pixels.
    """

    titles: Sequence[str]
    rows: Sequence[Row]
    legend: Mapping[str, Colour]
    size: tuple[int, int]

    def draw(self) -> Array:
        """The sheet, uint8 RGB (H, W, 3)."""
        width = self.size[1]
        across = len(self.titles) * (width + GAP) + GAP
        lines = _wrapped(self.legend, across - 2 * GAP)
        top = LINE * (len(lines) + 1) + GAP
        heights = [row.height(self.size[0]) for row in self.rows]
        sheet = Image.new("RGB", (across, top + sum(height + LINE + GAP for height in heights)), "white")
        pen = ImageDraw.Draw(sheet)
        for number, line in enumerate(lines):
            _legend_line(pen, line, number * LINE + GAP)
        for column, title in enumerate(self.titles):
            pen.text((column * (width + GAP) + GAP, top - LINE + 2), title, fill="black", font=font())
        for row, height in zip(self.rows, heights, strict=True):
            for column, cell in enumerate(row.cells):
                _place(sheet, cell, (column * (width + GAP) + GAP, top), (height, width))
            pen.text((GAP, top + height + 2), _cut(row.caption, across - 2 * GAP), fill="black", font=font())
            top += height + LINE + GAP
        return np.asarray(sheet)


def font(size: int = FONT_SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A plain font with most of the world's alphabets, so that tags in their own can be read."""
    return _font(size)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size) if file.is_file() else ImageFont.load_default(size)


def _legend_line(pen: ImageDraw.ImageDraw, entries: Iterable[tuple[str, Colour]], y: int) -> None:
    x = GAP
    for name, colour in entries:
        pen.rectangle((x, y + 2, x + SWATCH, y + 2 + SWATCH), fill=colour, outline="black")
        pen.text((x + SWATCH + 6, y), name, fill="black", font=font())
        x += _entry_width(name)


def _entry_width(name: str) -> int:
    return SWATCH + 6 + int(font().getlength(name)) + 18


def _wrapped(legend: Mapping[str, Colour], width: int) -> list[list[tuple[str, Colour]]]:
    lines: list[list[tuple[str, Colour]]] = [[]]
    for name, colour in legend.items():
        if lines[-1] and sum(_entry_width(other) for other, _ in lines[-1]) + _entry_width(name) > width:
            lines.append([])
        lines[-1].append((name, colour))
    return lines if legend else []


def _place(sheet: Image.Image, cell: Cell, corner: tuple[int, int], size: tuple[int, int]) -> None:
    (x, y), (height, width), pen = corner, size, ImageDraw.Draw(sheet)
    if cell.picture is None:
        pen.text((x + width // 2, y + height // 2), cell.label, fill="gray", font=font(), anchor="mm")
        return
    picture = Image.fromarray(cell.picture)
    x, y = x + (width - picture.width) // 2, y + (height - picture.height) // 2
    sheet.paste(picture, (x, y))
    if cell.label:
        write_label(pen, cell.label, (x, y), cell.colour)


def write_label(pen: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Text on a box of a colour, black or white, whichever can be read on it."""
    x, y = corner
    red, green, blue = colour
    ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"
    pen.rectangle((x, y, x + int(font().getlength(text)) + 8, y + 20), fill=colour)
    pen.text((x + 4, y + 1), text, fill=ink, font=font())


def _cut(text: str, width: int) -> str:
    """A caption as far as it fits."""
    if font().getlength(text) <= width:
        return text
    while text and font().getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
