"""Markdown that scripts write: tables, and the places in a document where they go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table; the first ``texts`` columns are aligned left, the others, of figures, right."""
    marks = ["---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *rows))


def insert(document: Path, name: str, text: str) -> None:
    """Put text between ``<!-- table:NAME -->`` and ``<!-- end -->`` in place of what is there.

    Raises:
        SystemExit: the document has no such place, or several.
    """
    before = document.read_text(encoding="utf-8")
    mark = re.compile(rf"(<!-- table:{re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.S)
    after, count = mark.subn(lambda found: f"{found[1]}{text}\n{found[2]}", before)
    if count != 1:
        raise SystemExit(f"{document}: {count} times <!-- table:{name} --> ... <!-- end -->, must be once")
    document.write_text(after, encoding="utf-8")


def places(document: Path) -> list[str]:
    """The names of the places for tables in a document."""
    return re.findall(r"<!-- table:([\w-]+) -->", document.read_text(encoding="utf-8"))
