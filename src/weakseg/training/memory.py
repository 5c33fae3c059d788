"""Memory that is not there: said in one line, with what was done and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weakseg.errors import WeaksegError

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
_photo: list[str | None] = [None]


def working_on(name: str | None) -> None:
    """Note which photo is being worked on, for `allocating`."""
    _photo[0] = name


@contextmanager
def allocating(what: str, remedy: str) -> Iterator[None]:
    """Turn a failed allocation into one line.

    Args:
        what: is done, such as the name of a stage; the photo of `working_on` is named, too.
        remedy: what needs less memory.

    Raises:
        WeaksegError: memory was wanted that the machine or the GPU has not.
    """
    working_on(None)
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS):
            photo = f": {_photo[0]}" if _photo[0] else ""
            raise WeaksegError(f"{what}{photo}: not enough memory; {remedy}") from error
        raise
