"""Places that fsspec opens: local folders, s3://, gs://, memory://, http:// and others."""

from __future__ import annotations

import os
import posixpath
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from weakseg.errors import WeaksegError
from weakseg.files import replacing

Result = TypeVar("Result")

TRIES, PAUSE = 3, 1.0
"""How often a place is asked, and the seconds between; a network has its moments."""
_READ_ONLY = {"http", "https", "ftp", "github", "data", "zip", "tar"}
_APPEAR_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory", "hf"}
"""File systems whose files are there when they are complete, and not before."""


def is_url(text: str) -> bool:
    """Whether a text names a file system, as s3://bucket/photos does."""
    return "://" in text


def is_pattern(text: str) -> bool:
    """Whether ``*``, ``?`` or ``[`` in a path or URL stand for other characters; not in the name of what is there."""
    if not is_url(text):
        return any(sign in text for sign in "*?[") and not os.path.exists(os.path.expanduser(text))
    return any(sign in text for sign in ("*[" if text.startswith("http") else "*?["))


@lru_cache(maxsize=256)
def open_place(url: str) -> tuple[Any, str]:
    """The file system of a URL or local path, and the path on it.

    Raises:
        WeaksegError: no such file system, or its package is missing.
    """
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(os.path.expanduser(url))
    except ImportError as error:
        raise WeaksegError(f"{url}: {_line(error)}") from error
    except Exception as error:  # fsspec raises ValueError, file systems what they like
        raise WeaksegError(f"{url}: cannot be opened ({_line(error)})") from error
    return found


def asked(url: str, action: Callable[[], Result]) -> Result:
    """What a place answers, asked again where it fails for a moment.

    Raises:
        WeaksegError: it is not there, may not be read, or fails `TRIES` times.
    """
    for left in reversed(range(TRIES)):
        try:
            return action()
        except FileNotFoundError:
            raise WeaksegError(f"{url}: no such file") from None
        except PermissionError as error:
            raise WeaksegError(f"{url}: may not be read ({_line(error)})") from error
        except Exception as error:  # clients of remote file systems raise nearly anything
            if not left:
                raise WeaksegError(f"{url}: cannot be read ({_line(error)}), tried {TRIES} times") from error
            time.sleep(PAUSE)
    raise AssertionError


def fetch(url: str) -> bytes:
    """The content of a file. Raises WeaksegError as `asked`."""
    system, path = open_place(url)
    content: bytes = asked(url, lambda: system.cat_file(path))
    return content


@dataclass(frozen=True)
class Output:
    """A folder to write to; files in it are complete or absent.

    A file is written under another name and renamed, where the file system does not show a file before it is complete.

    Attributes:
        url: of the folder; a local path, or a URL.
    """

    url: str

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine, or one that is mounted here."""
        return isinstance(open_place(self.url)[0], LocalFileSystem)

    @property
    def protocol(self) -> str:
        """The first part of the URL."""
        given = open_place(self.url)[0].protocol
        return str(given if isinstance(given, str) else given[0])

    def absolute(self) -> Output:
        """The same folder, whatever directory a process works in."""
        return self if is_url(self.url) else Output(os.path.abspath(os.path.expanduser(self.url)))

    def path(self, name: str) -> str:
        """The path of a file on the file system."""
        return posixpath.join(open_place(self.url)[1], name)

    def check(self) -> None:
        """Raise WeaksegError where nothing can be written."""
        if self.protocol in _READ_ONLY:
            raise WeaksegError(f"{self.url}: {self.protocol} can be read, not written; choose another --out")

    def write(self, name: str, content: bytes) -> None:
        """Write a file in one step. Raises WeaksegError if it cannot be written."""
        with self._writing(name) as (system, path):
            if self.local:
                Path(path).write_bytes(content)
            else:
                system.pipe_file(path, content)

    def upload(self, name: str, file: Path) -> None:
        """Write a file in one step, from a local one. Raises as `write`."""
        with self._writing(name) as (system, path):
            system.put_file(str(file), path)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none. Raises WeaksegError as `asked`."""
        system, path, url = open_place(self.url)[0], self.path(name), f"{self.url}/{name}"
        if not asked(url, lambda: system.exists(path)):
            return None
        content: bytes = asked(url, lambda: system.cat_file(path))
        return content

    def remove(self, name: str) -> None:
        """Remove a file that is there."""
        path = self.path(name)
        asked(f"{self.url}/{name}", lambda: open_place(self.url)[0].rm_file(path))

    def clear(self, folder: str) -> None:
        """Remove a sub-folder with all that is in it, if there is one."""
        system, path = open_place(self.url)[0], self.path(folder)
        system.invalidate_cache()
        if asked(self.url, lambda: system.isdir(path)):
            asked(f"{self.url}/{folder}", lambda: system.rm(path, recursive=True))

    def names(self, folder: str) -> list[str]:
        """The files of a sub-folder, sorted, without those that are being written; empty if there is none."""
        system, path = open_place(self.url)[0], self.path(folder)
        system.invalidate_cache()
        found = asked(self.url, lambda: system.ls(path, detail=False) if system.isdir(path) else [])
        return sorted(name for name in map(posixpath.basename, found) if name and not name.startswith("."))

    @contextmanager
    def _writing(self, name: str) -> Iterator[tuple[Any, str]]:
        system, path = open_place(self.url)[0], self.path(name)
        if self.local:
            with replacing(Path(path)) as temporary:
                yield system, str(temporary)
            return
        whole = self.protocol in _APPEAR_WHOLE
        written = path if whole else posixpath.join(posixpath.dirname(path), f".{uuid.uuid4().hex}.tmp")
        try:
            if not whole:
                system.makedirs(posixpath.dirname(path), exist_ok=True)
            yield system, written
            if not whole:
                system.mv(written, path)
        except Exception as error:
            raise WeaksegError(f"{self.url}/{name}: cannot be written ({_line(error)})") from error


def _line(error: BaseException) -> str:
    """What an exception says, on one line."""
    reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "")
    return str(reason) or type(error).__name__
