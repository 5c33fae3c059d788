"""Pages of visual words: one row of patches per word, grouped by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weakseg.data.images import write_image
from weakseg.data.sample import Array, Sample
from weakseg.report.words.search import Box, Word

TILE, GAP = 80, 4
LABEL = 150
HEADING = 26
ROWS = 16
MARK = (200, 0, 0)

Tiles = Mapping[tuple[str, Box], Image.Image]


def draw_pages(
    folder: Path, title: str, words: Sequence[Word], samples: Mapping[str, Sample], agreement: float
) -> list[Path]:
    """Write ``words-1.png`` and so on, and remove further pages that an earlier call has left.

    Args:
        folder: where to.
        title: of every page.
        words: in their order; neighbours of the same class stand under one heading.
        samples: the photos of their patches, by id.
        agreement: words below are marked in red.

    Returns:
        The pages.
    """
    for old in folder.glob("words-[0-9]*.png"):
        old.unlink()
    tiles = _cut(words, samples)
    pages = []
    for number, start in enumerate(range(0, len(words), ROWS), start=1):
        path = folder / f"words-{number}.png"
        write_image(path, _page(title, words[start : start + ROWS], tiles, agreement))
        pages.append(path)
    return pages


def _cut(words: Sequence[Word], samples: Mapping[str, Sample]) -> Tiles:
    """The patches' pictures; every photo is opened once."""
    wanted = sorted({(patch.photo, patch.box) for word in words for patch in word.patches})
    tiles = {}
    for photo, boxes in groupby(wanted, key=lambda patch: patch[0]):
        image = Image.fromarray(samples[photo].read_image())
        for _, box in boxes:
            tile = image.crop(box)
            tile.thumbnail((TILE, TILE))
            tiles[photo, box] = tile
    return tiles


def _page(title: str, words: Sequence[Word], tiles: Tiles, agreement: float) -> Array:
    groups = [(name, list(group)) for name, group in groupby(words, key=lambda word: word.class_name)]
    width = LABEL + max(len(word.patches) for word in words) * (TILE + GAP) + GAP
    height = HEADING * (1 + len(groups)) + len(words) * (TILE + GAP) + GAP
    page = Image.new("RGB", (max(width, 640), height), "white")
    pen, large = ImageDraw.Draw(page), ImageFont.load_default(14)
    pen.text((GAP, 6), title, fill="black")
    top = HEADING
    for name, group in groups:
        pen.text((GAP, top + 4), name or "no tag", fill="black", font=large)
        top += HEADING
        for word in group:
            _row(page, top, word, tiles, marked=word.agreement < agreement)
            top += TILE + GAP
    return np.asarray(page)


def _row(page: Image.Image, top: int, word: Word, tiles: Tiles, *, marked: bool) -> None:
    pen, colour = ImageDraw.Draw(page), MARK if marked else (0, 0, 0)
    agreeing = round(word.agreement * len(word.patches))
    lines = [f"word {word.number}", f"{word.pixels} pixels", f"{agreeing} of {len(word.patches)} photos"]
    pen.multiline_text((GAP, top + 4), "\n".join([*lines, "do not agree"] if marked else lines), fill=colour)
    for column, patch in enumerate(word.patches):
        tile = tiles[patch.photo, patch.box]
        left = LABEL + column * (TILE + GAP)
        page.paste(tile, (left + (TILE - tile.width) // 2, top + (TILE - tile.height) // 2))
    if marked:
        right = LABEL + len(word.patches) * (TILE + GAP) - GAP
        pen.rectangle((LABEL - 2, top - 2, right + 1, top + TILE + 1), outline=MARK, width=2)
