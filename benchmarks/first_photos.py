"""The photos of docs/walk.md: built-in scenes as JPEG in folders, with a table of tags as Excel saves it in Germany.

python benchmarks/first_photos.py walk

The table has a byte order mark, semicolons, decimal commas, backslashes, lines that end in CR LF, empty rows at its end
and a tag that is misspelt. Masks lie beside the photos, so that what is made of the tags can be scored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from weakseg.data.images import write_mask
from weakseg.data.sample import Sample
from weakseg.data.source import open_source

TABLE = "photos.csv"
SLIP = ("taxi", "taxy")
"""A tag, and what was typed for it once."""
FOLDERS = ("Ausflug 2025", "Garten", "Straße")


def write_photos(folder: Path, train: int, val: int, seed: int = 7) -> Path:
    """Write the photos, their masks and the table.

    Args:
        folder: to write to.
        train: photos to learn from.
        val: photos to judge the network by.
        seed: of the scenes.

    Returns:
        the table.
    """
    source = open_source(f"scenes:{max(train, 4 * val)},seed={seed}")
    rows, slipped = ["Image;Tags;Mask;Split;Belichtung (s)"], False
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            sample = source.splits[split][number]
            name = f"{FOLDERS[number % len(FOLDERS)]}/Foto für {split} ({number + 1})"
            _save(sample, folder / "photos" / f"{name}.jpg")
            write_mask(folder / "masks" / f"{name}.png", sample.read_mask(), source.classes.palette)
            tags = ", ".join(sample.tags)
            if not slipped and SLIP[0] in sample.tags:
                tags, slipped = tags.replace(*SLIP), True
            row = f"photos/{name}.jpg;{tags};masks/{name}.png;{split};"
            rows.append(row.replace("/", "\\") + f"{1 / (30 + number):.4f}".replace(".", ","))
    table = folder / TABLE
    table.write_bytes("\r\n".join([*rows, ";;;;", ";;;;", ""]).encode("utf-8-sig"))
    return table


def mend(table: Path) -> None:
    """Correct the tag that is misspelt."""
    table.write_bytes(table.read_bytes().replace(SLIP[1].encode(), SLIP[0].encode()))


def _save(sample: Sample, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample.read_image()).save(path, quality=92)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=160, help="photos to learn from")
    parser.add_argument("--val", type=int, default=40, help="photos to judge the network by")
    given = parser.parse_args()
    print(f"wrote {write_photos(given.folder, given.train, given.val)}")
