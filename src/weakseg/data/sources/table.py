"""Tables of images and tags as spreadsheets, pandas and tools write them, checked line by line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.paths import IMAGE_SUFFIXES, read_text
from weakseg.data.sources.tags import split_cells
from weakseg.errors import WeaksegError

# fmt: off
COLUMNS = {
    "image": (
        "image", "images", "img", "photo", "picture", "file", "filename", "file name", "path", "filepath", "file path",
        "image path", "image name", "image file",
    ),
    "tags": ("tags", "tag", "labels", "label", "classes", "class", "categories", "category"),
    "mask": ("mask", "masks", "mask path", "mask file", "segmentation"),
    "split": ("split", "subset", "set", "partition"),
}
# fmt: on
"""Per column, the names that its header may have, in any case, with blanks, hyphens or underscores."""
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "x"})
_NO = frozenset({"", "0", "0.0", "-1", "-1.0", "false", "f", "no", "n", "nan"})
_SUFFIX = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
_PLAIN = re.compile(rf"^\s*(?P<image>.+?(?:{_SUFFIX}))(?:[\s,;]+(?P<tags>.*))?$", re.IGNORECASE)


@dataclass(frozen=True)
class TagRow:
    """One row.

    Attributes:
        line: where it stands in the file, from 1.
        image: the image, as written.
        tags: its tags, as written, each once.
        mask: its mask, as written; "" without one.
        split: the split it belongs to; "" where none is named.
    """

    line: int
    image: str
    tags: tuple[str, ...]
    mask: str = ""
    split: str = ""


@dataclass(frozen=True)
class TagTable:
    """The sound rows of a table, a line per row that is not, and a line per thing that the user should know."""

    rows: list[TagRow]
    problems: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class _Cells:
    line: int
    cells: list[str]


def read_tag_table(path: Path, names: Collection[str] = ()) -> TagTable:
    """Read a table of images and tags.

    Columns are separated by comma, semicolon, tab or bar, and named in a header (``COLUMNS``). Tags are cells as
    ``weakseg.data.sources.tags.split_tags`` reads them, or one column of zeros and ones (true, false, yes, no) for each
    class. Without a header every line is an image and its tags. UTF-8 or UTF-16, quoted fields, any line ends; blank
    lines are skipped.

    Args:
        path: the file.
        names: known class names, which may hold spaces.

    Raises:
        WeaksegError: no file, no text, no column of images or tags, one there twice, or a quote that is not closed.
    """
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip() and not _is_hint(line)), "")
    if not first:
        raise WeaksegError(f"{path}: empty; its first line must name the columns image, tags")
    delimiter = _delimiter(first)
    if delimiter is None and _PLAIN.match(first):
        return _plain_table(path, text, names)
    rows = _rows(path, text, delimiter or ",")
    header = rows[0].cells
    columns = _columns(path, header, delimiter)
    if "tags" in columns:
        return _with_tags(path, rows, columns, names)
    return _one_hot(path, rows, columns)


def _is_hint(line: str) -> bool:
    """Whether a line only tells Excel the delimiter, as "sep=;"."""
    return bool(re.fullmatch(r"\ufeff?sep=.", line.strip(), re.IGNORECASE))


def _delimiter(header: str) -> str | None:
    """The delimiter that makes a header of a line; None where none does."""
    for delimiter in DELIMITERS:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if any(_plain(cell) in COLUMNS["image"] for cell in cells):
            return delimiter
    return None


def _plain(cell: str) -> str:
    return " ".join(re.split(r"[\s_-]+", cell.strip().lower()))


def _rows(path: Path, text: str, delimiter: str) -> list[_Cells]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[_Cells] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not (not rows and _is_hint(delimiter.join(cells))):
                rows.append(_Cells(reader.line_num, stripped))
    except csv.Error as error:
        raise WeaksegError(f"{path} line {reader.line_num}: not valid CSV ({error}); check its quotes") from None
    return rows


def _columns(path: Path, header: Sequence[str], delimiter: str | None) -> dict[str, int]:
    """Where the columns of ``COLUMNS`` stand. Raises WeaksegError without images, or with two of a kind."""
    plain = [_plain(cell) for cell in header]
    columns: dict[str, int] = {}
    for name, aliases in COLUMNS.items():
        found = [index for index, cell in enumerate(plain) if cell == name]
        found = found or [index for index, cell in enumerate(plain) if cell in aliases]
        if len(found) > 1:
            listed = ", ".join(header[index] for index in found)
            raise WeaksegError(f"{path}: more than one column {name!r} ({listed}); rename all but one")
        if found:
            columns[name] = found[0]
    if "image" not in columns:
        names = ", ".join(COLUMNS["image"][1:])
        how = "" if delimiter else "; columns are separated by comma, semicolon, tab or bar"
        raise WeaksegError(f"{path}: no column 'image' (or {names}){how}; found: {', '.join(header)}")
    return columns


def _with_tags(path: Path, rows: list[_Cells], columns: dict[str, int], names: Collection[str]) -> TagTable:
    """The rows of a table with a column of tags; where it is the last one, it holds all that follows."""
    header = rows[0].cells
    width, tags = len(header), columns["tags"]
    kept: list[_Cells] = []
    problems: list[str] = []
    for row in rows[1:]:
        cells = row.cells
        if any(cells[width:]) and tags == width - 1:  # tags separated by commas that no quotes protect
            cells = [*cells[:tags], ",".join(cell for cell in cells[tags:] if cell)]
        fault = _fault(cells, header, columns)
        if fault:
            problems.append(f"{path.name} line {row.line}: {fault}; row left out")
        else:
            kept.append(_Cells(row.line, cells + [""] * (width - len(cells))))
    tagged = split_cells([row.cells[tags] for row in kept], names)
    return TagTable([_row(row, columns, found) for row, found in zip(kept, tagged, strict=True)], problems, [])


def _one_hot(path: Path, rows: list[_Cells], columns: dict[str, int]) -> TagTable:
    """The rows of a table with a column of yes and no for each class."""
    header = rows[0].cells
    width = len(header)
    kept = [_Cells(row.line, row.cells + [""] * (width - len(row.cells))) for row in rows[1:]]
    others = [index for index in range(width) if index not in columns.values() and header[index]]
    classes = [
        index
        for index in others
        if kept
        and all(row.cells[index].lower() in _YES | _NO for row in kept)
        and any(row.cells[index] for row in kept)
    ]
    if not classes:
        names = ", ".join(COLUMNS["tags"][1:])
        found = ", ".join(header)
        raise WeaksegError(
            f"{path}: no column 'tags' (or {names}), nor columns of 0 and 1 for the classes; found: {found}"
        )
    ignored = [header[index] for index in others if index not in classes]
    warnings = [f"{path.name}: columns taken as classes: {', '.join(header[index] for index in classes)}"]
    if ignored:
        warnings.append(f"{path.name}: columns that are not 0 and 1, not read: {', '.join(ignored)}")
    table = TagTable([], [], warnings)
    for row in kept:
        fault = _fault(row.cells, header, columns)
        if fault:
            table.problems.append(f"{path.name} line {row.line}: {fault}; row left out")
        else:
            tags = tuple(header[index] for index in classes if row.cells[index].lower() in _YES)
            table.rows.append(_row(row, columns, tags))
    return table


def _plain_table(path: Path, text: str, names: Collection[str]) -> TagTable:
    """Lines of an image and its tags, without a header."""
    matches = {number: _PLAIN.match(line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
    problems = [
        f"{path.name} line {number}: does not begin with an image file; row left out"
        for number, match in matches.items()
        if match is None
    ]
    sound = {number: match for number, match in matches.items() if match}
    tagged = split_cells([match["tags"] or "" for match in sound.values()], names)
    rows = [
        TagRow(number, match["image"].strip().strip('"'), tags)
        for (number, match), tags in zip(sound.items(), tagged, strict=True)
    ]
    return TagTable(rows, problems, [f"{path.name}: no header, so every line is taken as an image and its tags"])


def _row(row: _Cells, columns: dict[str, int], tags: tuple[str, ...]) -> TagRow:
    def cell(name: str) -> str:
        return row.cells[columns[name]] if name in columns else ""

    return TagRow(row.line, cell("image"), tags, cell("mask"), cell("split"))


def _fault(cells: list[str], header: list[str], columns: dict[str, int]) -> str | None:
    """What is wrong with a row, or None."""
    if any(cells[len(header) :]):
        return f"{len(cells)} fields where the header has {len(header)} (put quotes around cells with commas)"
    if len(cells) <= max(columns[name] for name in ("image", "tags") if name in columns):
        return f"{len(cells)} of {len(header)} fields"
    if not cells[columns["image"]]:
        return "no image"
    return None
