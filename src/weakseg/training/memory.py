"""Memory that is not there: said in one line, with what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weakseg.errors import WeaksegError

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")


@contextmanager
def allocating(what: str, remedy: str) -> Iterator[None]:
    """Turn a failed allocation into one line.

    Args:
        what: is done, such as the name of a photo.
        remedy: what needs less memory.

    Raises:
        WeaksegError: memory was wanted that the machine or the GPU has not.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS):
            raise WeaksegError(f"{what}: not enough memory; {remedy}") from error
        raise
