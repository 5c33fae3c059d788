"""Record what runs give, to the byte, and compare two records: for changes that must change nothing.

python benchmarks/records.py take --data voc:PATH --train train_tiny --val val_tiny --out before.json
python benchmarks/records.py compare before.json after.json

`take` runs five recipes with the overlay small, one epoch of each training, seed 0, one thread, and writes the scores
and a hash per mask and map. Records of two machines may differ by rounding; compare those of one. Take the record of an
earlier version from its checkout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weakseg import __version__
from weakseg.pipeline.execute import execute
from weakseg.recipes.loading import load_recipe

RECIPES = ("affinitynet", "irnet", "sipe", "vwe", "cpn")
ONE_EPOCH = ("classify", "relate.affinitynet", "relate.irnet", "selftrain", "segment")
KEPT = ("localize/maps", "refine/masks", "refine/confidence", "selftrain/masks", "predict/masks")
CHUNK = 16  # letters of a hash


def main() -> int:
    """Take a record, or compare two; 1 where they differ."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = options.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("take")
    taking.add_argument("--data", required=True, help="as of `weakseg run`")
    taking.add_argument("--train", default="train", help="list to learn from")
    taking.add_argument("--val", default="val", help="list to predict")
    taking.add_argument("--recipes", nargs="+", default=list(RECIPES))
    taking.add_argument("--with", dest="overlays", action="append", default=[], help="overlay beside small")
    taking.add_argument("--runs", type=Path, default=None, help="folder for the runs (default: a temporary one)")
    taking.add_argument("--out", type=Path, required=True)
    comparing = commands.add_parser("compare")
    comparing.add_argument("records", type=Path, nargs=2)
    args = options.parse_args()
    if args.command == "compare":
        return compare(*(json.loads(path.read_text(encoding="utf-8")) for path in args.records))
    with tempfile.TemporaryDirectory() as temporary:
        record = take(args, args.runs or Path(temporary))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")
    return 0


def take(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the recipes and gather their scores and the hashes of their files."""
    epochs = [f"{stage}.train.epochs=1" for stage in ONE_EPOCH]
    lists = [f"data.train={args.train}", f"data.val={args.val}"]
    runs: dict[str, Any] = {}
    for name in args.recipes:
        recipe = load_recipe(name, ["small", *args.overlays], [*lists, *epochs, "seed=0", "hardware.threads=1"])
        run = execute(recipe, args.data, folder / name)
        manifest = run.read_manifest()
        metrics = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
        runs[name] = {
            "metrics": {stage: entry.get("scores") for stage, entry in metrics.items()},
            "files": {kind: _hashes(run.folder / kind) for kind in KEPT},
        }
    return {
        "weakseg": __version__,
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": manifest["machine"],
        "libraries": manifest["libraries"],
        "runs": runs,
    }


def compare(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Print what differs between two records; 1 where something does."""
    differing = 0
    if before["machine"] != after["machine"]:
        print(f"beware: other machines: {before['machine']['name']}, {after['machine']['name']}")
    for name in sorted({*before["runs"], *after["runs"]}):
        one, two = before["runs"].get(name), after["runs"].get(name)
        if one is None or two is None:
            print(f"{name}: only in one record")
            differing += 1
            continue
        for stage in sorted({*one["metrics"], *two["metrics"]}):
            same = one["metrics"].get(stage) == two["metrics"].get(stage)
            differing += not same
            print(f"{name}: scores of {stage}: {'equal' if same else 'DIFFERENT'}")
        for kind in KEPT:
            old, new = one["files"].get(kind, {}), two["files"].get(kind, {})
            changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
            differing += len(changed)
            print(f"{name}: {kind}: {len(new)} files, {len(changed)} differ {', '.join(changed[:3])}".rstrip())
    print("equal" if not differing else f"{differing} differences")
    return int(bool(differing))


def _hashes(folder: Path) -> dict[str, str]:
    """A hash per file below a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:CHUNK]


if __name__ == "__main__":
    sys.exit(main())
