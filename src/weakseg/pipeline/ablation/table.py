"""The table of an ablation: as Markdown, CSV and JSON, and on the terminal."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import Any

from rich.table import Table as Grid

from weakseg.pipeline.ablation.summary import Summary


def markdown(summary: Summary) -> str:
    """The table and its notes."""
    header = summary.header()
    rules = ["---", *["---:"] * (len(header) - 1)]
    lines = [header, rules, *summary.lines()]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"{table}\n\n{' '.join(summary.notes())}\n"


def comma_separated(summary: Summary) -> str:
    """One line per row: figures unrounded, ``_sd`` the sample standard deviation, ``_published`` the paper's."""
    names = summary.columns()
    fields = [f"{name}{suffix}" for name in names for suffix in ("", "_sd", "_published")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variant", "recipe", "set", "seeds", "failed", *fields])
    for row in summary.study.all_rows():
        results = summary.of(row)
        failed = sum(bool(result.error) for result in results)
        figures: list[float | None] = []
        for name in names:
            cell = summary.cell(row, name)
            figures += [cell.mean, cell.spread] if cell else [None, None]
            figures.append(row.published.get(name))
        cells = ["" if figure is None else f"{figure:.6g}" for figure in figures]
        writer.writerow([row.label, row.recipe, " ".join(row.set), len(results) - failed, failed, *cells])
    return text.getvalue()


def records(summary: Summary) -> dict[str, Any]:
    """Everything, run by run, ready for JSON."""
    runs = [
        {**asdict(result), "row": result.row.label, "recipe": result.row.recipe, "set": list(result.row.set)}
        for result in summary.results
    ]
    return {"study": summary.study.name, "description": summary.study.description, **summary.given, "runs": runs}


def terminal(summary: Summary) -> Grid:
    """The table for the terminal."""
    table = Grid(title=f"{summary.study.name} on {summary.given['data']}")
    for number, name in enumerate(summary.header()):
        table.add_column(name, justify="right" if number else "left")
    for line in summary.lines():
        table.add_row(*line, style="red" if "failed" in line else "")
    return table
