"""Files that are either complete or absent, whatever kills the process."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from weakseg.errors import WeaksegError

TEMPORARY = ".tmp"
_NAMED = 40


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and rename it over ``path`` once the block has ended well.

    Parents are made. On an exception the temporary file is removed and ``path`` stays as it was.

    Raises:
        WeaksegError: the file cannot be written.
    """
    try:
        with _temporary(path) as temporary:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have their own for a full disk
        reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        raise WeaksegError(f"{path}: cannot be written ({reason}); make room there or choose another folder") from error


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Part of the name only: with the random part a long one would not fit into the 255 bytes of a file name.
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:_NAMED]}.", suffix=TEMPORARY, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporary(folder: Path) -> None:
    """Remove the unfinished files that a killed process has left below ``folder``."""
    for path in folder.rglob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, replacing the file in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON; None if the file does not exist. Raises WeaksegError if it holds anything else."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeaksegError(f"{path}: not readable as JSON ({error}); delete it to have it made anew") from error


def put_between(path: Path, name: str, table: str | None) -> None:
    """Put a table between its marks in a file; with None only look for the marks.

    Raises:
        WeaksegError: the file has no such marks, or more than one pair.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeaksegError(f"{path}: cannot be read as Markdown ({error})") from error
    marks = re.compile(rf"(<!-- table:{re.escape(name)} -->\n).*?(<!-- end -->)", re.S)
    if len(marks.findall(text)) != 1:
        raise WeaksegError(f"{path}: must hold <!-- table:{name} --> and <!-- end --> on lines of their own, once")
    if table is not None:
        with replacing(path) as temporary:
            temporary.write_text(
                marks.sub(lambda found: f"{found[1]}{table.rstrip()}\n{found[2]}", text), encoding="utf-8"
            )
