"""One file by HTTP: it goes on where it broke off, is checked, and never looks finished before it is.

No library that is kept does all of this: pooch and torchvision check but start anew, requests and httpx leave both to
the caller. What is written here is the protocol of RFC 9110, sections 13.1.5 and 14.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg import __version__
from weakseg.errors import WeaksegError
from weakseg.files import read_json, write_json
from weakseg.training.progress import bar, say

_CHUNK = 1 << 20
_MB = 1_000_000
_TIMEOUT = 60.0
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Fetched:
    """A file that is there.

    Attributes:
        path: of it.
        checked: what is known to be right: "MD5", "size", or "nothing".
        kept: whether it was there before.
    """

    path: Path
    checked: str
    kept: bool = False


class _BrokenOffError(Exception):
    """The connection ended early; the message says why."""


def fetch(url: str, path: Path, md5: str | None = None, *, tries: int = 6, wait: float = 2.0) -> Fetched:
    """Get a file, or keep the one that is there.

    What has come is in PATH.part until all of it is there and checked. A part of the same file, as its ETag or date
    tells or its MD5 will, is gone on with; a server that knows no ranges sends it anew.

    Args:
        url: http or https.
        path: where it goes.
        md5: of the whole file in hexadecimal digits; without it only the size that the server tells is compared.
        tries: without any progress before it gives up.
        wait: seconds before the second of them; each further waits twice as long.

    Raises:
        WeaksegError: it could not be got, is not what the MD5 says, or a file is there that is not.
    """
    if path.exists():
        if md5 is not None and md5_of(path) != md5:
            raise WeaksegError(f"{path}: is there, but its MD5 is not {md5}; remove it to have it fetched anew")
        return Fetched(path, "nothing" if md5 is None else "MD5", kept=True)
    part, failed = _Part(url, path, md5 is not None), 0
    while True:
        before = part.size
        try:
            total = part.go_on()
            break
        except _BrokenOffError as broken:
            failed = 0 if part.size > before else failed + 1
            if failed >= tries:
                raise WeaksegError(
                    f"{url}: broke off after {_text(part.size)} ({broken}); the part is kept, the same command goes on"
                ) from None
            pause = wait * 2 ** max(0, failed - 1)
            say(f"{path.name}: broke off after {_text(part.size)} ({broken}); again in {pause:g} s")
            time.sleep(pause)
    if md5 is not None:
        found = md5_of(part.path)
        if found != md5:
            part.remove()
            raise WeaksegError(
                f"{url}: wrong bytes came (MD5 {found}, expected {md5}), and were removed; try again later or elsewhere"
            )
    part.finish()
    return Fetched(path, "MD5" if md5 is not None else "nothing" if total is None else "size")


def md5_of(path: Path) -> str:
    """The MD5 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class _Part:
    """What has come of a file, and which file that is."""

    def __init__(self, url: str, path: Path, checked: bool) -> None:
        self.url, self.target, self.checked = url, path, checked
        self.path, self.note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.told: Mapping[str, Any] = read_json(self.note) or {}
        if self.told.get("url") != url:
            self.remove()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.told = {}

    def finish(self) -> None:
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)

    def go_on(self) -> int | None:
        """Get what is missing; the size of the whole, None where the server does not tell.

        Raises:
            _BrokenOffError: before all was there.
            WeaksegError: the server has no such file, or there is no room for it.
        """
        try:
            with urllib.request.urlopen(self._request(), timeout=_TIMEOUT) as answer:
                return self._take(answer)
        except urllib.error.HTTPError as error:
            return self._refused(error)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(str(getattr(error, "reason", error)) or type(error).__name__) from error

    def _request(self) -> urllib.request.Request:
        headers = {"User-Agent": f"weakseg/{__version__}", "Accept-Encoding": "identity"}
        validator = self.told.get("validator")
        if self.size and (validator or self.checked):
            headers["Range"] = f"bytes={self.size}-"
            if validator:
                headers["If-Range"] = validator
        return urllib.request.Request(self.url, headers=headers)

    def _take(self, answer: Any) -> int | None:
        start, total = _extent(answer)
        if start not in (0, self.size):
            self.remove()
            raise _BrokenOffError(f"the server went on at byte {start}")
        etag, date = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified")
        self.told = {"url": self.url, "validator": etag if etag.startswith('"') else date}
        write_json(self.note, dict(self.told))
        _check_room(self.path.parent, (total or 0) - start)
        with (
            _opened(self.path, "ab" if start else "wb") as file,
            bar(f"get {self.target.name}", (total or 0) // _MB, unit="MB", done=start // _MB) as running,
        ):
            whole = start // _MB
            while chunk := answer.read(_CHUNK):
                _write(file, chunk, self.path)
                running.advance(file.tell() // _MB - whole)
                whole = file.tell() // _MB
        if total is not None and self.size < total:
            raise _BrokenOffError("the connection was closed")
        if total is not None and self.size > total:
            self.remove()
            raise _BrokenOffError("more came than the server had announced")
        return total

    def _refused(self, error: urllib.error.HTTPError) -> int | None:
        if error.code == 416:  # there is nothing after what we have
            _, total = _extent(error)
            if total is not None and total == self.size:
                return total
            self.remove()
            raise _BrokenOffError("the part is of another file")
        if error.code in _WORTH_ANOTHER_TRY:
            raise _BrokenOffError(f"HTTP {error.code} {error.reason}")
        raise WeaksegError(f"{self.url}: the server says HTTP {error.code} {error.reason}")


def _extent(answer: Any) -> tuple[int, int | None]:
    """Of an answer, the first byte that it brings and the size of the whole, None where it does not say."""
    found = _RANGE.match(answer.headers.get("Content-Range", "")) if answer.status in (206, 416) else None
    if found:
        return int(found[1] or 0), None if found[2] == "*" else int(found[2])
    length = answer.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WeaksegError(f"{folder}: {_text(needed)} are to come, {_text(free)} are free; choose another folder")


def _opened(path: Path, mode: str) -> Any:
    try:
        return path.open(mode)
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be written ({error.strerror})") from None


def _write(file: Any, chunk: bytes, path: Path) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise WeaksegError(
            f"{path}: cannot be written ({error.strerror}); make room, the same command goes on"
        ) from None


def _text(size: int) -> str:
    return f"{size / _MB / 1000:.1f} GB" if size >= 1000 * _MB else f"{size / _MB:.1f} MB"
