"""A folder that is either complete or as it was, and that tells who wrote it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from weakseg.errors import WeaksegError
from weakseg.files import TEMPORARY, write_json

RECORD = "weakseg-export.json"
"""Tells in a folder what ``weakseg export`` has written there."""


@contextmanager
def new_folder(out: Path, *, overwrite: bool, mark: str = RECORD) -> Iterator[Path]:
    """Give an empty folder beside ``out`` that takes its place once the block has ended well.

    Args:
        out: not there, empty, or with ``overwrite`` a folder that an earlier export has written.
        overwrite: replace that one.
        mark: the file by which a folder is known to be replaceable.

    Raises:
        WeaksegError: something else is there; nothing is touched.
    """
    check_out(out, overwrite=overwrite, mark=mark)
    fresh = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name[:40]}.", suffix=TEMPORARY, dir=out.parent))
    except OSError as error:
        raise WeaksegError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in fresh:  # innermost first; those that hold something stay
            with suppress(OSError):
                folder.rmdir()


def check_out(out: Path, *, overwrite: bool, mark: str = RECORD) -> None:
    """Raise WeaksegError, with the way out, unless ``out`` may be written to."""
    if not out.exists():
        return
    if not out.is_dir():
        raise WeaksegError(f"{out}: is a file; --out must name a folder")
    if not any(out.iterdir()):
        return
    if not (out / mark).is_file():
        command = "export" if mark == RECORD else "import"
        raise WeaksegError(f"{out}: holds files that `weakseg {command}` has not written; choose another --out")
    if not overwrite:
        raise WeaksegError(f"{out}: holds an earlier export; choose another --out, or replace it with --overwrite")


def write_record(folder: Path, content: dict[str, Any]) -> None:
    """Write what the folder holds; see `RECORD`."""
    write_json(folder / RECORD, content)
