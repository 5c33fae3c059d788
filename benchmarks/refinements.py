"""Compare the refinements on one data set: train mIoU at fixed settings and seconds per image, over seeds.

All rows of a seed share its CAM and affinity networks: only the stages refine and evaluate are run again.

python benchmarks/refinements.py --data voc:voc-animals --split train_240 --seeds 0 1 2 --into docs/refinements.md
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from weakseg.pipeline.execute import execute
from weakseg.pipeline.loading import load_recipe

VARIANTS = {
    "CAM": ("background",),
    "+ PAMR": ("background", "pamr"),
    "+ dense CRF": ("background", "crf"),
    "+ AffinityNet walk": ("background", "walk"),
    "+ AffinityNet walk + dense CRF": ("background", "walk", "crf"),
}


def measure(given: argparse.Namespace, seed: int) -> list[dict[str, Any]]:
    """One row per variant."""
    found = []
    for name, names in VARIANTS.items():
        settings = [
            "stages=[classify,localize,relate,refine,evaluate]",
            f"refine.steps=[{','.join(names)}]",
            f"seed={seed}",
            f"data.train={given.split}",
        ]
        run = execute(load_recipe(given.recipe, given.overlays, settings), given.data, given.out / f"seed{seed}")
        manifest = run.read_manifest()
        metrics, images = manifest["metrics"], manifest["lists"]["train"]["images"]
        found.append(
            {
                "name": name,
                "seed": seed,
                "miou": 100 * metrics["refine"]["scores"]["miou_present"],
                "best_cam": 100 * metrics["localize"]["best"]["scores"]["miou_present"],
                "seconds_per_image": manifest["stages"]["refine"]["seconds"] / images,
                "images": images,
                "machine": manifest["machine"],
                "date": manifest["finished"][:10],
                "weakseg": manifest["weakseg"],
            }
        )
    return found


def markdown(rows: list[dict[str, Any]], given: argparse.Namespace) -> str:
    """Means over seeds, with the spread (largest minus smallest)."""
    lines = ["| refinement | mIoU % | spread | s / image |", "|---|---:|---:|---:|"]
    best = [row["best_cam"] for row in rows if row["name"] == "CAM"]
    lines.append(f"| CAM, best threshold (chosen with masks) | {statistics.mean(best):.1f} | {_spread(best)} | |")
    for name in VARIANTS:
        same = [row for row in rows if row["name"] == name]
        figures = [row["miou"] for row in same]
        seconds = statistics.mean(row["seconds_per_image"] for row in same)
        lines.append(f"| {name} | {statistics.mean(figures):.1f} | {_spread(figures)} | {seconds:.2f} |")
    first = rows[0]
    lines += [
        "",
        f"`{given.recipe}`, overlays {', '.join(given.overlays)}, {first['images']} photos of {given.split}, seeds "
        f"{', '.join(map(str, given.seeds))}; {first['machine']['name']}, {first['machine']['threads']} threads, "
        f"weakseg {first['weakseg']}, {first['date']}. Seconds: the whole stage.",
    ]
    return "\n".join(lines)


def _spread(figures: list[float]) -> str:
    return f"{max(figures) - min(figures):.1f}" if len(figures) > 1 else ""


def main() -> None:
    """Run the variants and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", required=True)
    options.add_argument("--split", default="train")
    options.add_argument("--recipe", default="affinitynet")
    options.add_argument("--overlays", nargs="*", default=["small"])
    options.add_argument("--seeds", nargs="+", type=int, default=[0])
    options.add_argument("--out", type=Path, default=Path("runs/refinements"))
    options.add_argument("--into", type=Path, help="Markdown file to write the table to")
    given = options.parse_args()
    rows = [row for seed in given.seeds for row in measure(given, seed)]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "rows.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    table = markdown(rows, given)
    print(table)
    if given.into is not None:
        given.into.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
