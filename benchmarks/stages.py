"""Write the table of a run's stages: time, photos a second, cores kept busy; from the run's manifest.

python benchmarks/stages.py runs/animals-auto --into docs/speed.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import document
from tables import Manifest, read
from weakseg.pipeline.checks import TRAINED

HEADINGS = ("stage", "what", "time, s", "share", "photos/s", "cores busy")


def row(name: str, run: Manifest, total: float) -> tuple[str, ...]:
    """What a stage took."""
    stage = run["stages"][name]
    photos = run["lists"]["val" if name == "predict" else "train"]["images"]
    settings = run["settings"][name]
    epochs = 1
    if name in TRAINED:
        section = settings[settings["method"].replace("-", "_")] if name == "relate" else settings
        epochs = section["train"]["epochs"]
    what = ", ".join(run["methods"].get(name, []))
    what += f", {epochs} epochs" if name in TRAINED else ""
    seconds = stage["seconds"]
    return (
        name,
        what.removeprefix(", "),
        f"{seconds:.0f}",
        f"{100 * seconds / total:.0f} %",
        f"{photos * epochs / seconds:.1f}",
        f"{stage['cpu_seconds'] / seconds:.1f}",
    )


def written(run: Manifest) -> str:
    """The table and the line that says where its figures come from."""
    names = [name for name in run["stages"] if name != "evaluate"]
    total = sum(run["stages"][name]["seconds"] for name in names)
    machine = run["machine"]
    photos, peak = run["lists"]["train"]["images"], run["peak_memory_mib"]
    told = (
        f"`{run['recipe']}` on {run['data']}: {photos} training photos, {total / 60:.1f} min in all, {peak} MiB at "
        "most. photos/s: each photo counted once an epoch; selftrain also labels every photo once. "
        f"{machine['name']}, {machine['threads']} threads, seed {run['seed']}, torch {run['libraries']['torch']}, "
        f"weakseg {run['weakseg']}, {run['finished'][:10]}."
    )
    return f"{document.table(HEADINGS, [row(name, run, total) for name in names], texts=2)}\n\n{told}"


def main() -> None:
    """Print the table, or put it between its marks in a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="directory of a finished run")
    options.add_argument("--into", type=Path, help="file with <!-- table:stages --> and <!-- end -->")
    given = options.parse_args()
    text = written(read(given.run))
    document.publish(text, "stages", given.into)


if __name__ == "__main__":
    document.command(main)
