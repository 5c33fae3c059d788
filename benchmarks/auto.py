"""Write the table of planned runs beside the upper bound with the same plan, from the runs' manifests.

python benchmarks/auto.py runs/animals-auto:runs/animals-upper runs/tiles-auto:runs/tiles-upper --name animals tiles

with --into README.md to put it there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import document
from tables import Manifest, minutes, miou, read

HEADINGS = ("data", "first masks", "pseudo masks", "val", "`supervised`", "share", "background alone", "time", "GiB")


def row(auto: Manifest, upper: Manifest | None, data: str) -> tuple[str, ...]:
    """A data set: mIoU of masks and predictions, of the upper bound where it was run, and what it took."""
    scores = auto["metrics"]
    val = miou(scores["predict"])
    bound = None if upper is None else miou(upper["metrics"]["predict"])
    upper_cells = ("", "") if bound is None else (f"{bound:.1f}", f"{100 * val / bound:.0f} %")
    alone = background_alone(scores["predict"])
    masks = [f"{miou(scores[stage]):.1f}" for stage in ("refine", "selftrain")]
    gib = f"{auto['peak_memory_mib'] / 1024:.1f}"
    return data, *masks, f"{val:.1f}", *upper_cells, f"{alone:.1f}", minutes(auto), gib


def background_alone(entry: Manifest) -> float:
    """Mean IoU of a mask without any object, in percent."""
    pixels = entry["scores"]["pixels"]
    present = [name for name, count in pixels.items() if count]
    return 100 * pixels["background"] / sum(pixels.values()) / len(present)


def written(pairs: list[tuple[Manifest, Manifest | None]], names: list[str]) -> str:
    """The table and the line that says where its figures come from."""
    rows = [row(auto, upper, name) for (auto, upper), name in zip(pairs, names, strict=True)]
    first = pairs[0][0]
    counts = "; ".join(
        f"{name}: {auto['metrics']['selftrain']['images']} training, {auto['metrics']['predict']['images']} val photos"
        for (auto, _), name in zip(pairs, names, strict=True)
    )
    machine, chosen = first["machine"], first["masks_used"]["for_choosing"]
    told = (
        f"mIoU in %. {counts}. {machine['name']}, {machine['threads']} threads, seed {first['seed']}, "
        f"weakseg {first['weakseg']}, {first['finished'][:10]}. Chosen with masks: {chosen}."
    )
    # Columns of the upper bound, where none was run, are left out.
    kept = [index for index in range(len(HEADINGS)) if any(line[index] for line in rows)]
    cells = [[line[index] for index in kept] for line in (HEADINGS, *rows)]
    return f"{document.table(cells[0], cells[1:], texts=1)}\n\n{told}"


def main() -> None:
    """Print the table, or put it between its marks in a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("runs", nargs="+", metavar="AUTO[:SUPERVISED]", help="runs of one data set")
    options.add_argument("--name", nargs="+", required=True, help="of each data set")
    options.add_argument("--into", type=Path, help="file with <!-- table:auto --> and <!-- end -->")
    given = options.parse_args()
    pairs = []
    for text in given.runs:
        auto, _, upper = text.partition(":")
        pairs.append((read(Path(auto)), read(Path(upper)) if upper else None))
    text = written(pairs, given.name)
    document.publish(text, "auto", given.into)


if __name__ == "__main__":
    document.command(main)
