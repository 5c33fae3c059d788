"""Compare the refinements on one data set: train mIoU at fixed settings and seconds per image, over seeds.

python benchmarks/refinements.py --data voc:voc-animals --split train_240 --seeds 0 1 2 --into docs/refinement.md
python benchmarks/refinements.py --data voc:voc-animals --table refinements-all --into docs/refinement.md

All rows of a seed share its CAM network and maps, which are those of the recipe affinitynet, and all rows of one
affinity network share that. Called again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import document
from weakseg import __version__
from weakseg.files import put_between
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import digest
from weakseg.recipes.loading import load_recipe, validate
from weakseg.recipes.recipe import Recipe

Row = dict[str, Any]

CAM = "CAM, the recipe's threshold"
TUNED = "CAM, best threshold (chosen with masks)"
ROWS: dict[str, tuple[str, bool, list[str]]] = {
    "+ dense CRF": ("affinitynet", False, ["crf"]),
    "+ PAMR": ("affinitynet", False, ["pamr"]),
    "+ AffinityNet walk": ("affinitynet", True, []),
    "+ AffinityNet walk + dense CRF": ("affinitynet", True, ["crf"]),
    "+ IRNet walk": ("irnet", True, []),
    "+ IRNet walk + dense CRF": ("irnet", True, ["crf"]),
}
"""The recipe whose ``relate`` and ``refine`` are used, whether its walk is taken, and the steps after it.

In this order ``relate`` runs twice per seed.
"""


def main() -> None:
    """Run what is not yet done, print the table, write it where it was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", required=True, help="as `weakseg run` takes it, for instance voc:PATH")
    options.add_argument("--split", default="train", help="the list of photos (default: train)")
    options.add_argument("--overlays", nargs="*", default=["small"], help="over both recipes (default: small)")
    options.add_argument("--seeds", nargs="+", type=int, default=[0])
    options.add_argument("--device", default="auto", help="hardware.accelerator: auto, cpu, cuda (default: auto)")
    options.add_argument("--out", type=Path, default=Path("runs/refinements"), help="folder for runs and results")
    options.add_argument("--table", default="refinements", help="name of the place for the table")
    options.add_argument("--into", type=Path, help="Markdown file with <!-- table:TABLE -->")
    options.add_argument("--short", type=Path, help="Markdown file with <!-- table:TABLE-short -->")
    given = options.parse_args()
    wanted = [(given.into, given.table, full_table), (given.short, f"{given.table}-short", short_table)]
    places = [(path, name, write) for path, name, write in wanted if path is not None]
    for path, name, _ in places:
        put_between(path, name, None)  # before hours of work
    rows = [row for seed in given.seeds for row in measure(given, seed)]
    print(full_table(rows, given))
    for path, name, write in places:
        put_between(path, name, write(rows, given))


def measure(given: argparse.Namespace, seed: int) -> list[Row]:
    """All rows of one seed, kept beside its run in a JSON file; a row of other settings is measured again."""
    folder, results = (given.out / f"{given.split}-seed{seed}{suffix}" for suffix in ("", ".json"))
    kept: dict[str, Row] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    for name in ROWS:
        recipe = recipe_of(name, given, seed)
        key = digest([recipe.model_dump(mode="json"), given.data, __version__])
        if kept.get(name, {}).get("key") == key:
            continue
        manifest = execute(recipe, given.data, folder).read_manifest()
        kept[name] = {"key": key, "name": name, "seed": seed, **figures(manifest)}
        results.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return [kept[name] for name in ROWS]


def recipe_of(name: str, given: argparse.Namespace, seed: int) -> Recipe:
    """The recipe of a row: affinitynet, with ``relate`` and ``refine`` of the row's recipe and the row's steps."""
    source, walks, last = ROWS[name]
    overrides = [f"seed={seed}", f"data.train={given.split}", f"hardware.accelerator={given.device}"]
    tree = load_recipe("affinitynet", given.overlays, overrides).model_dump(mode="json")
    other = load_recipe(source, given.overlays).model_dump(mode="json")
    taken = {"background", "walk", "boundary_walk"} if walks else {"background"}
    steps = [step for step in other["refine"]["steps"] if step in taken] + last
    tree["stages"] = ["classify", "localize", *(["relate"] if walks else []), "refine", "evaluate"]
    tree["relate"] = other["relate"] | {"backbone": other["relate"]["backbone"] or other["backbone"]}
    tree["refine"] = other["refine"] | {"steps": steps}
    return validate(tree)


def figures(manifest: Row) -> Row:
    """What a table tells of a run. A stage that was interrupted has no time."""
    metrics, images = manifest["metrics"], manifest["lists"]["train"]["images"]

    def seconds(stage: str) -> float | None:
        record = manifest["stages"].get(stage)
        return record["cpu_seconds"] / images if record and record["sessions"] == 1 else None

    return {
        "miou": 100 * metrics["refine"]["scores"]["miou_present"],
        "cam": 100 * metrics["localize"]["scores"]["miou_present"],
        "best_cam": 100 * metrics["localize"]["best"]["scores"]["miou_present"],
        "refine_seconds": seconds("refine"),
        "relate_seconds": seconds("relate"),
        "images": images,
        "machine": manifest["machine"],
        "libraries": manifest["libraries"],
        "chosen": manifest["masks_used"]["for_choosing"],
        "finished": manifest["finished"][:10],
        "weakseg": manifest["weakseg"],
    }


def full_table(rows: list[Row], given: argparse.Namespace) -> str:
    """Every seed, mean, spread (largest minus smallest), gain over the CAM, times, and what was best."""
    several = len(given.seeds) > 1
    lines = []
    for name, values in scores(rows).items():
        cells = [f"{value:.1f}" for value in values]
        if several:
            cells += [f"{statistics.mean(values):.1f}", f"{max(values) - min(values):.1f}"]
        times = [mean_time(rows, name, key) for key in ("refine_seconds", "relate_seconds")]
        lines.append([name, *cells, gain(rows, name), *times])
    headings = [f"seed {seed}" for seed in given.seeds] + ["mean", "spread"] if several else ["mIoU %"]
    header = ["refinement", *headings, "over the CAM", "CPU s / image", "training, CPU s / image"]
    return f"{document.table(header, lines)}\n\n{verdict(rows)}\n\n{conditions(rows, given)}"


def short_table(rows: list[Row], given: argparse.Namespace) -> str:
    """Means, gains and the seconds of the refinement alone."""
    lines = [
        [name, f"{statistics.mean(values):.1f}", gain(rows, name), mean_time(rows, name, "refine_seconds")]
        for name, values in scores(rows).items()
    ]
    table = document.table(["refinement", "train mIoU %", "over the CAM", "CPU s / image"], lines)
    return f"{table}\n\n{verdict(rows)} {conditions(rows, given)}"


def scores(rows: list[Row]) -> dict[str, list[float]]:
    """The mIoU of every seed, by row; that of the CAM stands beside every refinement."""
    cam = {row["seed"]: (row["cam"], row["best_cam"]) for row in rows}
    refined = {name: [row["miou"] for row in rows if row["name"] == name] for name in ROWS}
    return {CAM: [plain for plain, _ in cam.values()], TUNED: [best for _, best in cam.values()], **refined}


def gain(rows: list[Row], name: str) -> str:
    """Mean mIoU minus that of the CAM, signed; empty for the CAM."""
    found = scores(rows)
    return "" if name == CAM else f"{statistics.mean(found[name]) - statistics.mean(found[CAM]):+.1f}"


def mean_time(rows: list[Row], name: str, key: str) -> str:
    """Seconds per image, mean over the seeds whose time is known; empty where none is."""
    known = [row[key] for row in rows if row["name"] == name and row[key] is not None]
    return f"{statistics.mean(known):.2f}" if known else ""


def verdict(rows: list[Row]) -> str:
    """Which refinement is best and by how much, and which do not beat the CAM in every seed."""
    found = scores(rows)
    cam, tuned, *_ = found.values()
    refined = {name: found[name] for name in ROWS}
    best = max(refined, key=lambda name: statistics.mean(refined[name]))
    over, above = (statistics.mean(refined[best]) - statistics.mean(base) for base in (cam, tuned))
    worse = [
        name.removeprefix("+ ")
        for name, values in refined.items()
        if any(v <= c for v, c in zip(values, cam, strict=True))
    ]
    beaten = f"not better than the CAM in every seed: {', '.join(worse)}" if worse else "all beat the CAM in every seed"
    return (
        f"Best: {best.removeprefix('+ ')}, {over:.1f} points over the CAM and {above:.1f} over the CAM at its best "
        f"threshold; {beaten}."
    )


def conditions(rows: list[Row], given: argparse.Namespace) -> str:
    """What the figures hold for."""
    first, seeds = rows[0], ", ".join(map(str, given.seeds))
    machine, torch = first["machine"], first["libraries"]["torch"]
    kind, _, place = given.data.partition(":")
    overlays = ", ".join(Path(name).name for name in given.overlays)
    return (
        f"`{kind}:{Path(place).name}`, {first['images']} photos of {given.split}, "
        f"overlays {overlays}, seeds {seeds}; {machine['name']}, {machine['threads']} threads, "
        f"torch {torch}, weakseg {first['weakseg']}, {first['finished']}. Times: processor time of the "
        "whole stages, over all threads. "
        f"Chosen with masks: {first['chosen']}."
    )


if __name__ == "__main__":
    document.command(main)
