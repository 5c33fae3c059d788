"""Markdown that scripts write: tables, and the places in a document where they go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table; the first ``texts`` columns are aligned left, the others, of figures, right."""
    marks = ["---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *rows))


def insert(path: Path, name: str, text: str) -> None:
    """Put text between ``<!-- table:NAME -->`` and ``<!-- end -->`` in place of what is there; see `require`."""
    require(path, name)
    mark = re.compile(rf"(<!-- table:{re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.S)
    changed = mark.sub(lambda found: f"{found[1]}{text}\n{found[2]}", path.read_text(encoding="utf-8"))
    path.write_text(changed, encoding="utf-8")


def require(path: Path, name: str) -> None:
    """Raise SystemExit if the document does not have exactly one place for a table."""
    count = places(path).count(name)
    if count != 1:
        raise SystemExit(f"{path}: {count} times <!-- table:{name} --> ... <!-- end -->, must be once")


def places(path: Path) -> list[str]:
    """The names of the places for tables in a document."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"<!-- table:([\w-]+) -->\n.*?<!-- end -->", text, flags=re.S)
