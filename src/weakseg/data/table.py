"""CSV tables of images and tags, checked line by line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.paths import read_text
from weakseg.errors import WeaksegError


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        line: where it stands in the file, from 1.
        cells: stripped text per column; "" where the row is too short for an optional one.
    """

    line: int
    cells: dict[str, str]


def read_table(path: Path, required: tuple[str, ...]) -> tuple[list[Row], list[str]]:
    """Read a CSV with a header line: UTF-8, quoted fields, any line ends, blank lines skipped.

    Args:
        path: the file.
        required: columns that it must have; the first may not be empty in any row.

    Returns:
        The sound rows, and one line per row that is not.

    Raises:
        WeaksegError: no file, no header, a required column is missing, a column is there twice,
            or a quote is not closed.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[Row] = []
    problems: list[str] = []
    header: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header(path, cells, required)
                continue
            fault = _fault(cells, header, required)
            if fault:
                problems.append(f"{path.name} line {reader.line_num}: {fault}; row left out")
            else:
                padded = cells + [""] * (len(header) - len(cells))
                rows.append(Row(reader.line_num, dict(zip(header, padded, strict=False))))
    except csv.Error as error:
        raise WeaksegError(f"{path} line {reader.line_num}: not valid CSV ({error}); check its quotes") from None
    if not header:
        raise WeaksegError(f"{path}: empty; its first line must name the columns {', '.join(required)}")
    return rows, problems


def split_tags(text: str, names: Collection[str] = ()) -> tuple[str, ...]:
    """The tags of one cell, each once, in their order.

    They are separated by ``;`` or ``|``, and may then hold spaces; where there are neither, by
    spaces, unless the whole cell is one of the known ``names``.

    Example:
        >>> split_tags("cat dog"), split_tags("traffic light; car")
        (('cat', 'dog'), ('traffic light', 'car'))
    """
    if text in names:
        return (text,)
    parts = re.split(r"[;|]", text) if re.search(r"[;|]", text) else text.split()
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _header(path: Path, cells: list[str], required: tuple[str, ...]) -> list[str]:
    """Column names in lower case. Raises WeaksegError if one is missing or there twice."""
    header = [cell.lower() for cell in cells]
    for name in required:
        if header.count(name) != 1:
            fault = "no column" if name not in header else "more than one column"
            raise WeaksegError(f"{path}: {fault} {name!r} (columns are separated by commas); found: {', '.join(cells)}")
    return header


def _fault(cells: list[str], header: list[str], required: tuple[str, ...]) -> str | None:
    """What is wrong with a row, or None."""
    if any(cells[len(header) :]):
        return f"{len(cells)} fields where the header has {len(header)} (separate tags by space, ; or |)"
    if len(cells) <= max(header.index(name) for name in required):
        return f"{len(cells)} of {len(header)} fields"
    if not cells[header.index(required[0])]:
        return f"no {required[0]}"
    return None
