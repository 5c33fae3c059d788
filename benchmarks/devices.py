"""How many times faster the stages of a run are on several processes of this CPU, of one thread each.

python benchmarks/devices.py --data scenes:160 --processes 1,2

The runs are the recipe's own, one after the other, each from its start. Other work on the cores spoils the figures.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import common
import document
from weakseg.errors import WeaksegError
from weakseg.pipeline.checks import TRAINED
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.recipe import Recipe
from weakseg.report.run import run_and_draw

Seconds = Mapping[int, Mapping[str, float]]
"""Of every stage, by the number of processes."""
PHOTOS = "photo stages"


def measure(args: argparse.Namespace, folder: Path) -> Seconds:
    """Run the recipe with each number of processes."""
    found: dict[int, dict[str, float]] = {}
    for count in args.processes:
        hardware = ["hardware.accelerator=cpu", "hardware.threads=1", f"hardware.devices={count}"]
        recipe = load_recipe(args.recipe, args.overlays, [*args.overrides, *hardware])
        run = run_and_draw(recipe, args.data, folder / str(count), overwrite=True)
        found[count] = {stage: float(run.record(stage)["seconds"]) for stage in recipe.stages if stage != "evaluate"}
        found[count][PHOTOS] = sum(found[count][stage] for stage in _looking(found[count]))
    return found


def _looking(stages: Iterable[str]) -> list[str]:
    """The stages that train nothing; selftrain both trains and looks."""
    return [stage for stage in stages if stage not in (*TRAINED, PHOTOS)]


def written(found: Seconds, recipe: Recipe, changes: Sequence[str], data: str) -> str:
    """The table: seconds of each stage, and the ratio of the first number of processes to the others; and of what."""
    first, *others = found
    header = ["stage", *(f"{count} process{'es' if count > 1 else ''}, s" for count in found)]
    header += [f"times faster with {count}" for count in others]
    rows: list[Sequence[str]] = []
    for stage in found[first]:
        seconds = [found[count][stage] for count in found]
        ratios = [f"{seconds[0] / max(taken, 0.01):.2f}" for taken in seconds[1:]]
        rows.append([stage, *(f"{taken:.1f}" for taken in seconds), *ratios])
    machine = common.machine("cpu", [])
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("weakseg", "torch"))
    run = " ".join([recipe.name, *changes])
    told = (
        f"Seconds of the stages of `{run}` on `{data}`, processes of one thread; photo stages: "
        f"{', '.join(_looking(found[first]))}. {machine['processor']}, {machine['cores']} cores; seed {recipe.seed}, "
        f"{versions}, {datetime.now(UTC).date().isoformat()}."
    )
    return f"{document.table(header, rows)}\n\n{told}"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Print the table, or put it between its marks in a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("overrides", nargs="*", help="key.path=value ...")
    options.add_argument("--data", required=True, help="as of `weakseg run`")
    options.add_argument("--recipe", default="auto")
    options.add_argument("--with", dest="overlays", action="append", default=[], help="overlay")
    options.add_argument("--processes", type=_numbers, default=[1, 2], help="numbers to compare, as 1,2,4")
    options.add_argument("--runs", type=Path, help="folder for the runs (default: a temporary one)")
    options.add_argument("--into", type=Path, help="file with <!-- table:devices --> and <!-- end -->")
    given = options.parse_intermixed_args()
    if len(given.processes) < 2:
        raise WeaksegError("--processes: give two numbers to compare, as 1,2")
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(given, given.runs or Path(temporary))
    recipe = load_recipe(given.recipe, given.overlays, given.overrides)
    changes = [*(f"--with {name}" for name in given.overlays), *given.overrides]
    document.publish(written(found, recipe, changes, given.data), "devices", given.into)


if __name__ == "__main__":
    document.command(main)
