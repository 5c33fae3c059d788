"""Write the README's table of a weakly supervised run beside its upper bound, from the runs' manifests.

python benchmarks/tables.py runs/animals runs/animals-supervised --refined runs/animals-walk --beside runs/animals-irnet

with --into README.md to put it there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

import document

Manifest = dict[str, Any]


def read(folder: Path) -> Manifest:
    """The manifest of a finished run."""
    manifest: Manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if not manifest["finished"]:
        raise SystemExit(f"{folder}: the run is not finished")
    manifest["settings"] = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    return manifest


def miou(entry: Manifest) -> float:
    """Mean IoU over the classes present, in percent."""
    return 100 * float(entry["scores"]["miou_present"])


def minutes(manifest: Manifest, *names: str) -> str:
    """Time of some stages, by default all; empty where one was interrupted and its time is not known."""
    stages = [manifest["stages"][name] for name in names or manifest["stages"]]
    if any(stage["sessions"] > 1 for stage in stages):
        return ""
    return f"{sum(stage['seconds'] for stage in stages) / 60:.1f} min"


Row = tuple[str, str, str, str]


def row(step: str, entry: Manifest, time: str = "") -> Row:
    """Step, split, mIoU, time."""
    return step, entry["split"], f"{miou(entry):.1f}", time


def refined(run: Manifest, time: str = "") -> Row:
    """The row of a run's pseudo masks."""
    return row(f"pseudo masks: {', '.join(run['settings']['refine']['steps'])}", run["metrics"]["refine"], time)


def beside(run: Manifest) -> list[Row]:
    """The rows of another system: its pseudo masks, and what was trained on them."""
    masks, network = refined(run), row("DeepLabV3+ trained on them", run["metrics"]["predict"])
    return [(f"`{run['recipe']}`: {step}", *rest) for step, *rest in (masks, network)]


def rows(weak: Manifest, upper: Manifest, others: list[Manifest], systems: list[Manifest]) -> list[Row]:
    """The rows from maps to the upper bound."""
    maps = weak["metrics"]["localize"]
    best = maps["best"] | {"split": maps["split"]}
    bound = "the same network trained on the true masks (`supervised`)"
    return [
        row(f"CAM, threshold {maps['threshold']:.2f} (recipe)", maps, minutes(weak, "classify", "localize")),
        row(f"CAM, best threshold {best['threshold']:.2f} (chosen with masks)", best),
        *(refined(run) for run in others),
        refined(weak, minutes(weak, "relate", "refine")),
        row("DeepLabV3+ trained on them", weak["metrics"]["predict"], minutes(weak, "segment", "predict")),
        *(line for system in systems for line in beside(system)),
        row(bound, upper["metrics"]["predict"], minutes(upper)),
    ]


def written(weak: Manifest, upper: Manifest, others: list[Manifest], systems: list[Manifest]) -> str:
    """The table and the line that says where its figures come from."""
    table = document.table(("step", "split", "mIoU %", "time"), rows(weak, upper, others, systems), texts=2)
    machine, metrics = weak["machine"], weak["metrics"]
    ratios = [
        f"{100 * miou(run['metrics']['predict']) / miou(upper['metrics']['predict']):.0f} %" for run in (weak, *systems)
    ]
    gain = miou(metrics["refine"]) - miou(metrics["localize"]["best"])
    told = (
        f"{metrics['localize']['images']} training, {metrics['predict']['images']} validation photos; refining gains "
        f"{gain:.1f} points over the best-threshold CAM, and tags alone reach {' and '.join(ratios)} of full "
        "supervision. "
        f"{machine['name']}, {machine['threads']} threads, seed {weak['seed']}, {minutes(weak)} in all, "
        f"{weak['peak_memory_mib'] / 1024:.1f} GiB, weakseg {weak['weakseg']}, {weak['finished'][:10]}."
    )
    return f"{table}\n\n{told}"


def main() -> None:
    """Print the table, or put it between its marks in a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("weak", type=Path, help="run of affinitynet")
    options.add_argument("upper", type=Path, help="run of supervised")
    options.add_argument("--refined", type=Path, nargs="*", default=[], help="runs with other refine.steps")
    options.add_argument("--beside", type=Path, nargs="*", default=[], help="runs of other systems")
    options.add_argument("--into", type=Path, help="file with <!-- table:animals --> and <!-- end -->")
    given = options.parse_args()
    others, systems = ([read(folder) for folder in folders] for folders in (given.refined, given.beside))
    text = written(read(given.weak), read(given.upper), others, systems)
    document.publish(text, "animals", given.into)


if __name__ == "__main__":
    document.command(main)
