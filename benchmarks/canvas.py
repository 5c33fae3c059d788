"""What IRNet's canvas costs: processor time of its boundaries on the released canvas and on the photo alone.

python benchmarks/canvas.py voc-animals/JPEGImages                 the first 4 photos, a canvas of 512, 1 thread
python benchmarks/canvas.py voc-animals/JPEGImages --long-side 500 --into docs/methods/irnet.md

Both take turns in one process. The weights are random: they do not change the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

import common
import document
from weakseg.backbones.backbone import build_backbone
from weakseg.data.images import read_image, resize_image
from weakseg.data.paths import IMAGE_SUFFIXES
from weakseg.methods.irnet.network import Canvas, IRNet
from weakseg.ops.views import photo_tensor

HEADINGS = ("canvas", "CPU s a photo", "times that of the photo alone")


def main() -> None:
    """Measure, print the table or put it between its marks, write the JSON file."""
    options = common.parser(__doc__)
    options.set_defaults(threads=1, repeats=3)
    options.add_argument("folder", help="of photos")
    options.add_argument("--long-side", type=int, default=0, help="resize the photos to it (default: as they are)")
    options.add_argument("--photos", type=int, default=4, help="how many of them (default: 4)")
    options.add_argument("--canvas", type=int, default=512, help="its side in pixels (default: 512)")
    options.add_argument("--backbone", default="resnet50")
    options.add_argument("--into", help="file with <!-- table:canvas --> and <!-- end -->")
    args = common.parse(options)
    files = sorted(path for path in Path(args.folder).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    photos = [photo(path, args.long_side).to(args.device) for path in files[: args.photos]]
    network = IRNet(build_backbone(args.backbone, output_stride=16, dilation=False, weights="none"))
    seconds = measure(network.eval().to(args.device), photos, args)
    rows = [
        {"canvas": str(canvas), "CPU s": taken, "times": taken / seconds["photo"]} for canvas, taken in seconds.items()
    ]
    cells = [tuple(common.cell(value) for value in row.values()) for row in rows]
    document.publish(
        f"{document.table(HEADINGS, cells)}\n\n{told(photos, args)}", "canvas", args.into and Path(args.into)
    )
    print("wrote", common.write_json(args, "canvas", rows))


def photo(path: Path, long_side: int) -> Tensor:
    """A photo, uint8 (3, H, W), with its longer side at ``long_side``; 0 for its own."""
    image = read_image(path)
    factor = long_side / max(image.shape[:2]) if long_side else 1
    size = (round(image.shape[0] * factor), round(image.shape[1] * factor))
    return photo_tensor(torch.from_numpy(resize_image(image, size)))


def measure(network: IRNet, photos: list[Tensor], args: argparse.Namespace) -> dict[Canvas, float]:
    """Median processor seconds a photo, by canvas."""
    ways: tuple[Canvas, ...] = ("photo", args.canvas)
    rounds: dict[Canvas, list[float]] = {canvas: [] for canvas in ways}
    for _ in range(args.repeats + 1):
        for canvas in ways:
            network.canvas = canvas
            start = time.process_time()
            for photo in photos:
                network.maps(photo)
            rounds[canvas].append((time.process_time() - start) / len(photos))
    return {canvas: statistics.median(taken[1:]) for canvas, taken in rounds.items()}  # the first one warms up


def told(photos: list[Tensor], args: argparse.Namespace) -> str:
    """The line that says what the figures hold for."""
    pixels = sum(photo.shape[1] * photo.shape[2] for photo in photos) / len(photos)
    of = common.machine(args.device)
    return (
        f"{len(photos)} photos of {pixels / 1000:.0f} thousand pixels on average with their mirror images, "
        f"{args.backbone}; medians of {args.repeats} rounds. {of['processor']}, {args.threads} threads, "
        f"torch {of['versions']['torch']}, weakseg {of['versions']['weakseg']}, {of['date'][:10]}."
    )


if __name__ == "__main__":
    document.command(main)
