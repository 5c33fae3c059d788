"""The table of an ablation: as Markdown, CSV and JSON, and on the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.cells import cell_len
from rich.table import Table as Grid

from weakseg.studies.summary import Summary

FRAME, GAP = 4, 3
"""Characters of rules and blanks around the first column, and of each further one."""
LABEL_SHARE = 0.4
"""Of the terminal's width: what the labels may take at least."""


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


def terminal(summary: Summary, width: int) -> list[Grid | str]:
    """The table for the terminal, in which nothing is cut.

    What is the same in every row is said once, above; labels go over several lines where they must; and columns that
    do not fit beside each other go on in a further table.

    Args:
        summary: the runs.
        width: of the terminal, in characters.

    Returns:
        tables, with a line above them where columns are the same in every row.
    """
    header, lines = summary.header(), summary.lines()
    columns = [list(cells) for cells in zip(header, *lines, strict=True)]
    same = [cells for cells in columns[1:] if len(lines) > 1 and len(set(cells[1:])) == 1]
    same = same if len(same) < len(columns) - 1 else []
    shown = [cells for cells in columns[1:] if cells not in same]
    label_width = _label_width(columns[0], shown, width)
    title = f"{summary.study.name} on {summary.given['data']}"
    tables: list[Grid | str] = []
    for part in _packed(shown, width - FRAME - label_width):
        table = Grid(title="" if tables else title)
        table.add_column(header[0], width=label_width, overflow="fold")
        for cells in part:
            table.add_column(cells[0], justify="right", width=_need(cells), overflow="fold")
        for number, line in enumerate(lines, 1):
            style = "red" if "failed" in line else ""
            table.add_row(columns[0][number], *(cells[number] for cells in part), style=style)
        tables.append(table)
    told = ", ".join(f"{cells[0]} {cells[1]}" for cells in same if cells[1])
    return [f"the same in every row: {told}", *tables] if told else tables


def _need(cells: Sequence[str]) -> int:
    """Characters that a column needs: its figures are kept whole, its heading may go over several lines."""
    return max(cell_len(text) for text in (*cells[0].split(), *cells[1:]))


def _label_width(labels: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> int:
    """As much as the labels want, but where the columns then do not fit no more than a part of the line."""
    left = width - FRAME - sum(_need(cells) + GAP for cells in columns)
    return min(max(map(cell_len, labels)), max(left, int(width * LABEL_SHARE)))


def _packed(columns: Sequence[Sequence[str]], room: int) -> list[list[Sequence[str]]]:
    """Columns in groups that fit into the room beside the labels; one that does not fit at all is folded."""
    parts: list[list[Sequence[str]]] = [[]]
    for cells in columns:
        if parts[-1] and sum(_need(other) + GAP for other in (*parts[-1], cells)) > room:
            parts.append([])
        parts[-1].append(cells)
    return parts
