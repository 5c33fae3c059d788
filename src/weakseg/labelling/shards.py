"""WebDataset tar shards: the files of a sample stand one after the other and share their name up to the first dot."""

from __future__ import annotations

import io
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from weakseg.data.paths import IMAGE_SUFFIXES, safe_id
from weakseg.errors import WeaksegError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST = 10_000_000


class Member(NamedTuple):
    """The photo of a sample in a shard.

    Attributes:
        key: of the sample, made a safe id; unlike all others of its shard.
        file: the name of the photo in the shard; "" where the sample has none.
        content: the bytes of the photo; empty where there is none.
    """

    key: str
    file: str
    content: bytes


def expand(pattern: str) -> list[str]:
    """The names that a pattern such as ``photos-{000..009}.tar`` stands for, in order.

    Raises:
        WeaksegError: a range that goes backwards, or names too many.

    Example:
        >>> expand("a-{08..10}.tar")
        ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    found = _RANGE.search(pattern)
    if found is None:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < _MOST:
        raise WeaksegError(f"{pattern}: {found[0]} must go upwards, as in {{000..009}}")
    width = len(found[1])
    return [
        f"{pattern[: found.start()]}{number:0{width}}{rest}"
        for number in range(first, last + 1)
        for rest in expand(pattern[found.end() :])
    ]


def members(file: IO[bytes]) -> Iterator[Member]:
    """The photos of a shard, read as a stream; other files of a sample are left alone.

    A sample's photo is its file with the suffix of an image and nothing before it: of ``cat.jpg``, ``cat.seg.png`` and
    ``cat.json`` the first. Of several the suffix decides, in the order of `IMAGE_SUFFIXES`.

    Raises:
        tarfile.TarError, EOFError, OSError: the shard is broken, or breaks off.
    """
    taken: set[str] = set()
    key: str | None = None
    best = Member("", "", b"")
    with tarfile.open(fileobj=file, mode="r|*") as shard:
        for entry in shard:
            if not entry.isfile() or posixpath.basename(entry.name).startswith("."):
                continue
            folder, name = posixpath.split(entry.name)
            stem, _, suffix = name.partition(".")
            if posixpath.join(folder, stem) != key:
                if key is not None:
                    yield best
                key = posixpath.join(folder, stem)
                best = Member(_unlike(safe_id(PurePosixPath(f"{key}.x")), taken), "", b"")
            if _rank(f".{suffix}".lower()) < _rank(PurePosixPath(best.file).suffix.lower()):
                content = shard.extractfile(entry)
                best = best._replace(file=entry.name, content=content.read() if content else b"")
    if key is not None:
        yield best


def _rank(suffix: str) -> int:
    return IMAGE_SUFFIXES.index(suffix) if suffix in IMAGE_SUFFIXES else len(IMAGE_SUFFIXES)


def _unlike(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken; letter case makes no difference. It is taken from then on."""
    choice, number = name, 1
    while choice.casefold() in taken:
        number += 1
        choice = f"{name}-{number}"
    taken.add(choice.casefold())
    return choice


class ShardWriter:
    """Writes masks into a tar file that WebDataset reads; the same masks give the same bytes."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        self._file = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  (closed by `close`)
        self._taken: set[str] = set()

    def add(self, name: str, mask: bytes, about: dict[str, Any]) -> str:
        """Add the two files of a sample.

        Args:
            name: the id of the photo.
            mask: a PNG file.
            about: what is written beside it as JSON.

        Returns:
            the key of the sample: the id with "_" for dots, which would end a key.
        """
        key = _unlike(name.replace(".", "_"), self._taken)
        self._add(f"{key}.png", mask)
        self._add(f"{key}.json", json.dumps(about, ensure_ascii=False).encode())
        return key

    def _add(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        self._file.addfile(entry, io.BytesIO(content))

    def close(self) -> None:
        """End the file."""
        self._file.close()


def shard_ids(urls: Sequence[str]) -> list[str]:
    """What the photos' ids begin with: the path of each shard below the folder that all share, without suffix."""
    shared = posixpath.commonpath([posixpath.dirname(url) for url in urls]) if urls else ""
    taken: set[str] = set()
    return [_unlike(safe_id(PurePosixPath(posixpath.relpath(url, shared or "."))), taken) for url in urls]
