"""Draw the README's picture from a finished run: what became of the tags, and what the network says of new pictures.

python benchmarks/picture.py runs/demo --out docs/images/demo.png

The photos are not chosen by how well they came out: they are spread evenly over those with at most two tags.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Collection
from pathlib import Path

from PIL import Image, ImageDraw

import document
from weakseg.data.sample import ImageSet, Sample
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.files import replacing
from weakseg.pipeline.outlook import prepare
from weakseg.pipeline.rundir.run import Run
from weakseg.pipeline.stage import Context
from weakseg.report.pictures import spread, train_sheet, val_sheet
from weakseg.report.sheet import GAP, LINE, Colour, write_label

TRAIN, VAL = 3, 2
"""Photos of either list."""
TAGS = 2
"""A photo has at most, so that the sheet has few columns."""
HEIGHT, WIDTH = 120, 160
"""Of a training photo, in pixels."""
DARK = (40, 40, 40)
KILOBYTES = 300
"""The picture's size at most."""


def opened(folder: Path) -> Context:
    """What the stages of a finished run share. Raises WeaksegError if there is none, or its data are gone."""
    run = Run(folder)
    if not run.read_manifest()["finished"]:
        raise WeaksegError(f"{folder}: the run is not finished")
    context, _ = prepare(run.read_recipe(), open_source(run.read_manifest()["data"]), run, None)
    return context


def chosen(images: ImageSet, count: int) -> list[Sample]:
    """Photos spread over those with few tags."""
    return spread([sample for sample in images.samples if 0 < len(sample.tags) <= TAGS], count)


def composed(context: Context) -> tuple[Image.Image, set[Colour]]:
    """Both sheets, one below the other and of one width, and the colours of their legends.

    Raises:
        WeaksegError: the run has not all stages that they show.
    """
    above = train_sheet(context, chosen(context.scored(), TRAIN), (HEIGHT, WIDTH))
    if above is None or context.val is None:
        raise WeaksegError(f"{context.run.folder}: has no maps, masks or predictions to draw")
    width = len(above.titles) * (WIDTH + GAP) + GAP
    below = val_sheet(context, chosen(context.true_masks("val"), VAL), (width // 4, width // 3 - GAP - 1))
    if below is None:
        raise WeaksegError(f"{context.run.folder}: has no maps, masks or predictions to draw")
    parts = [
        ("from tags to pseudo masks", above.draw()),
        ("the network that was trained on them, on new pictures", below.draw()),
    ]
    page = Image.new("RGB", (width, sum(len(part) + LINE for _, part in parts)), "white")
    pen, top = ImageDraw.Draw(page), 0
    for title, part in parts:
        pen.rectangle((0, top, width, top + LINE - 2), fill=DARK)
        write_label(pen, title, (GAP, top), DARK)
        page.paste(Image.fromarray(part), (0, top + LINE))
        top += LINE + len(part)
    return page, {*above.legend.values(), *below.legend.values()}


def packed(page: Image.Image, kept: Collection[Colour], most: int) -> bytes:
    """A palette PNG of at most so many bytes, with as many colours as that allows; those of the legend stay exact."""
    size = 0
    for count in (256, 192, 128, 96, 64, 48):
        found = page.quantize(count - len(kept), dither=Image.Dither.NONE).getpalette() or []
        colours = Image.new("P", (1, 1))
        colours.putpalette(found[: 3 * (count - len(kept))] + [channel for colour in kept for channel in colour])
        file = io.BytesIO()
        page.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG).save(file, "PNG", optimize=True)
        size = file.tell()
        if size <= most:
            return file.getvalue()
    raise WeaksegError(f"the picture takes {size} bytes with {count} colours, more than {most}")


def main() -> None:
    """Draw and write it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="finished run of `weakseg demo`")
    options.add_argument("--out", type=Path, required=True, help="PNG file")
    given = options.parse_args()
    content = packed(*composed(opened(given.run)), KILOBYTES * 1000)
    with replacing(given.out) as temporary:
        temporary.write_bytes(content)
    print(f"{given.out}: {len(content) / 1000:.0f} kB")


if __name__ == "__main__":
    document.command(main)
