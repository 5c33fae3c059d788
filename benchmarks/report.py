"""Write the kernels' results, JSON files of the other scripts, as Markdown tables into a document.

python benchmarks/report.py --into docs/refinement.md

Every file NAME.json of the folder of results goes between <!-- table:NAME --> and <!-- end -->.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import common
import document
from weakseg.files import put_between

Record = dict[str, Any]
UNTOLD = ("device", "threads", "repeats", "limit_gb", "exact")
"""Settings that the tables' last lines tell otherwise, or that change no figure."""


def main() -> None:
    """Fill every place that has a result; say what has none."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--into", type=Path, required=True, help="Markdown file with places for tables")
    options.add_argument("--results", type=Path, default=common.RESULTS, help="default: benchmarks/results")
    given = options.parse_args()
    names = document.places(given.into)
    found = {path.stem: path for path in sorted(given.results.glob("*.json"))}
    for name in names:
        if name in found:
            put_between(given.into, name, written(json.loads(found[name].read_text(encoding="utf-8"))))
            print(f"{given.into}: {name}")
    for name in set(found) - set(names):
        print(f"{given.into}: no <!-- table:{name} --> for {found[name]}")


def written(record: Record) -> str:
    """The table of a result and the line that says what its figures hold for."""
    header = [key for key in record["rows"][0] if not key.startswith("fastest")]
    rows = [[common.cell(row[key]) for key in header] for row in record["rows"]]
    return f"{document.table(header, rows, header.index('way') + 1)}\n\n{conditions(record)}"


def conditions(record: Record) -> str:
    """Settings, machine and versions in one line."""
    settings = {key: value for key, value in record["settings"].items() if not isinstance(value, list)}
    told = [f"{key.replace('_', ' ')} {value}" for key, value in settings.items() if key not in UNTOLD]
    machine, repeats = record["machine"], record["settings"]["repeats"]
    where = machine["processor"] if machine["device"] == "cpu" else machine["device"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [", ".join(told), f"medians of {repeats} rounds", f"{where}, {machine['threads']} threads", versions]
    return f"{'; '.join(part for part in parts if part)}; {machine['date'][:10]}."


if __name__ == "__main__":
    document.command(main)
