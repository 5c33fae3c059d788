"""Hashes of files' contents, remembered so that an unchanged data set costs one look at each file's size and time."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weakseg.files import read_json, write_json

Stamp = tuple[int, int, int]
"""Size in bytes, time of the last change in ns, inode."""

_FRESH = 2_000_000_000  # ns; a file as young as this may change again without a newer time
_DIGEST = 16  # bytes


class Contents:
    """The hashes of files, each computed once for its size, time and inode.

    One object serves a process; ``load`` and ``save`` keep it between runs.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, str]] = {}
        self._sure: set[str] = set()
        self._loaded: dict[str, tuple[Stamp, str]] = {}

    def load(self, cache: Path) -> None:
        """Take over what a cache file knows. Raises WeaksegError if it is no JSON."""
        for name, (*stamp, digest) in (read_json(cache) or {}).items():
            self._known.setdefault(name, ((stamp[0], stamp[1], stamp[2]), digest))
            self._sure.add(name)
        self._loaded = dict(self._known)

    def save(self, cache: Path, files: Iterable[Path]) -> None:
        """Write what is known of these files, if it is news. What changed a moment ago is left out."""
        names = [name for name in map(_name, files) if name in self._known and name in self._sure]
        if any(self._loaded.get(name) != self._known[name] for name in names):
            write_json(cache, {name: [*self._known[name][0], self._known[name][1]] for name in names})

    def of(self, files: Iterable[Path]) -> dict[Path, str | None]:
        """The hash of each file; None for one that is not there or cannot be read."""
        wanted = list(dict.fromkeys(files))
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return dict(zip(wanted, pool.map(self._hash, wanted), strict=True))

    def _hash(self, path: Path) -> str | None:
        name = _name(path)
        try:
            stamp = stamp_of(path)
            known = self._known.get(name)
            if known is not None and known[0] == stamp and name in self._sure:
                return known[1]
            digest = hash_of(path)
        except OSError:
            return None
        self._known[name] = (stamp, digest)
        (self._sure.add if time.time_ns() - stamp[1] > _FRESH else self._sure.discard)(name)
        return digest


def stamp_of(path: Path) -> Stamp:
    """Size, time and inode of a file. Raises OSError without one."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def hash_of(path: Path) -> str:
    """A hash of a file's bytes (BLAKE2b, 128 bits). Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST)).hexdigest()


def _name(path: Path) -> str:
    return os.path.abspath(path)


CONTENTS = Contents()
"""Of this process."""
