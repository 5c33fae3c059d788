"""Markdown that scripts write: tables, and the places in a document where they go."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from weakseg.errors import WeaksegError
from weakseg.files import put_between


def command(main: Callable[[], None]) -> None:
    """Run a script; what is wrong with its input is told in one line, with exit code 2."""
    try:
        main()
    except WeaksegError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def publish(text: str, name: str, into: Path | None) -> None:
    """Print a text, or put it in the place of a name in a document."""
    if into is None:
        print(text)
    else:
        put_between(into, name, text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table; the first ``texts`` columns are aligned left, the others, of figures, right."""
    marks = ["---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, marks, *rows))


def places(path: Path) -> list[str]:
    """The names of the places for tables in a document."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"<!-- table:([\w-]+) -->\n.*?<!-- end -->", text, flags=re.S)
