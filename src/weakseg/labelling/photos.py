"""The photos that ``weakseg label`` is given, cut into parts that are done one by one, anywhere and in any order."""

from __future__ import annotations

import hashlib
import os
import posixpath
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote

from weakseg.data.images import Encoded, Levels, read_image
from weakseg.data.paths import IMAGE_SUFFIXES, is_image_name, list_images, unique_ids, unread_line
from weakseg.data.sample import Array, Sample
from weakseg.errors import WeaksegError
from weakseg.labelling.shards import expand, members, shard_ids
from weakseg.labelling.storage import PAUSE, TRIES, asked, fetch, is_pattern, is_url, open_place
from weakseg.pipeline.newphotos.photos import source_photos

SHARDS, PHOTOS = "shards:", "photos:"


@dataclass(frozen=True)
class Photo:
    """A photo and where it comes from.

    Attributes:
        sample: with an id that no other photo has.
        origin: its file, "SHARD#FILE", or its id where it is composed.
    """

    sample: Sample
    origin: str


@dataclass(frozen=True)
class RemoteImage:
    """Fetches and decodes a photo from a place that fsspec opens: uint8 RGB (H, W, 3)."""

    url: str
    levels: Levels | None

    def __call__(self) -> Array:
        """Raises WeaksegError if it cannot be fetched or read."""
        return read_image(Encoded(self.url, fetch(self.url)), self.levels)


@dataclass(frozen=True)
class EncodedImage:
    """Decodes a photo whose file is in memory: uint8 RGB (H, W, 3)."""

    file: Encoded
    levels: Levels | None

    def __call__(self) -> Array:
        """Raises WeaksegError if it cannot be read."""
        if not self.file.content:
            raise WeaksegError(f"{self.file.name}: empty file, or a sample without a photo")
        return read_image(self.file, self.levels)


@dataclass(frozen=True)
class ListedPart:
    """Some photos of a list."""

    listed: tuple[Photo, ...]

    def photos(self) -> Iterator[Photo]:
        """In the order of the list."""
        yield from self.listed


@dataclass(frozen=True)
class ShardPart:
    """The photos of a tar shard, read as a stream.

    Attributes:
        url: of the shard.
        prefix: of the ids.
        levels: see `weakseg.data.images.read_image`.
    """

    url: str
    prefix: str
    levels: Levels | None

    def photos(self) -> Iterator[Photo]:
        """In the order of the shard. One that breaks off ends with a photo that cannot be read, which says why."""
        count = 0
        for left in reversed(range(TRIES)):
            try:
                for photo in islice(self._stream(), count, None):
                    yield photo
                    count += 1
                return
            except WeaksegError as error:
                reason = str(error)
                break
            except (
                Exception
            ) as error:  # a broken archive, and the clients of remote file systems, raise nearly anything
                reason = f"{self.url}: breaks off ({error}); {count} photos of it were read"
                time.sleep(PAUSE if left and is_url(self.url) else 0)
        yield Photo(Sample(self.prefix, _Broken(reason), ()), self.url)

    def _stream(self) -> Iterator[Photo]:
        system, path = open_place(self.url)
        with asked(self.url, lambda: system.open(path, "rb")) as file:
            for found in members(file):
                origin = f"{self.url}#{found.file or found.key}"
                image = EncodedImage(Encoded(origin, found.content), self.levels)
                yield Photo(Sample(f"{self.prefix}/{found.key}", image, ()), origin)


@dataclass(frozen=True)
class _Broken:
    reason: str

    def __call__(self) -> Array:
        raise WeaksegError(self.reason)


Part = ListedPart | ShardPart


@dataclass(frozen=True)
class Photos:
    """Photos cut into parts.

    Attributes:
        parts: how many there are.
        part: makes one by its number, from 0.
        count: of photos; None where it is not known before the shards are read.
        digest: a hash of the photos' ids, or of the shards' names.
        missing: what was no photo to begin with, one line each.
    """

    parts: int
    part: Callable[[int], Part]
    count: int | None
    digest: str
    missing: tuple[str, ...] = ()


def open_photos(spec: str, per_part: int, *, split: str | None = None, levels: Levels | None = None) -> Photos:
    """The photos of a data source, of a folder or of tar shards.

    Args:
        spec: "shards:" and tar files, with ``{000..009}`` or ``*``; "photos:" and a folder or pattern, or a URL or
            folder alone; or a data source as `weakseg.data.source.open_source` takes it.
        per_part: photos of a part; of tar shards each is one.
        split: of a data source, the photos of this list alone.
        levels: what becomes black and white of pictures of more than 8 bits.

    Raises:
        WeaksegError: there is no photo, or a place that cannot be opened.
    """
    plain = spec.startswith(PHOTOS) or (is_url(spec) and not spec.startswith(SHARDS)) or _is_plain_folder(spec)
    if split is not None and (plain or spec.startswith(SHARDS)):
        raise WeaksegError(f"{spec}: has no splits; leave --split away")
    if spec.startswith(SHARDS):
        return _shards(spec.removeprefix(SHARDS), levels)
    if plain:
        place = spec.removeprefix(PHOTOS)
        found, missing = _below(place, levels), list(filter(None, [] if is_url(place) else [unread_line(Path(place))]))
        if not found:
            raise WeaksegError(f"{spec}: no images there; known are {', '.join(IMAGE_SUFFIXES)}")
    else:
        samples, missing = source_photos(spec, split)
        found = [_of_source(sample) for sample in samples]
    return _listed(found, per_part, missing)


def _is_plain_folder(spec: str) -> bool:
    """Whether a path is a folder that is no VOC folder and has no table: its photos are below it."""
    path = Path(spec).expanduser()
    if not path.is_dir() or (path / "JPEGImages").is_dir():
        return False
    return not any(file.suffix.lower() in (".csv", ".tsv") for file in path.iterdir())


def _listed(photos: Sequence[Photo], per_part: int, missing: Sequence[str]) -> Photos:
    def part(number: int) -> Part:
        return ListedPart(tuple(photos[number * per_part : (number + 1) * per_part]))

    ids = (photo.sample.id for photo in photos)
    return Photos(-(-len(photos) // per_part), part, len(photos), _digest(ids), tuple(missing))


def _shards(pattern: str, levels: Levels | None) -> Photos:
    urls: dict[str, None] = {}
    for name in expand(pattern):
        if is_pattern(name):
            system, path = open_place(name)
            found = asked(name, lambda system=system, path=path: system.glob(path))  # type: ignore[misc]
            urls.update(dict.fromkeys(_urls(name, system, sorted(found))))
        else:
            urls[name if is_url(name) else os.path.abspath(os.path.expanduser(name))] = None
    listed = list(urls)
    if listed:
        system, path = open_place(listed[0])
        if not asked(listed[0], lambda: system.exists(path)):
            raise WeaksegError(f"{SHARDS}{pattern}: no such file {listed[0]}")
    else:
        raise WeaksegError(f"{SHARDS}{pattern}: no such files; a pattern is photos-{{000..009}}.tar or photos-*.tar")
    ids = shard_ids(listed)
    return Photos(len(listed), lambda number: ShardPart(listed[number], ids[number], levels), None, _digest(ids))


def _below(place: str, levels: Levels | None) -> list[Photo]:
    """The photos below a folder or of a pattern, sorted; hidden files and folders are skipped."""
    system, root = open_place(place)
    pattern = is_pattern(place)
    if is_url(place) or pattern:
        found = asked(place, lambda: system.glob(root) if pattern else system.find(root))
    else:
        found = [str(path) for path in list_images(Path(root))]
    base = posixpath.dirname(root.split("*")[0].split("?")[0].split("[")[0] + "x") if pattern else root
    paths: list[tuple[str, PurePath]] = []
    for path in sorted(found):
        below = PurePosixPath(posixpath.relpath(unquote(path) if is_url(path) else path, base))
        if is_image_name(below.name) and not any(part.startswith(".") and part != ".." for part in below.parts):
            paths.append((path, below))
    ids = unique_ids(below for _, below in paths)
    urls = _urls(place, system, [path for path, _ in paths])
    local = not is_url(place)
    return [
        Photo(Sample(name, Path(url) if local else RemoteImage(url, levels), ()), url)
        for name, url in zip(ids, urls, strict=True)
    ]


def _urls(place: str, system: object, paths: Sequence[str]) -> list[str]:
    """Paths on a file system as they are opened again: URLs, or local paths as they are."""
    if not is_url(place):
        return list(paths)
    return [str(system.unstrip_protocol(path)) for path in paths]  # type: ignore[attr-defined]


def _of_source(sample: Sample) -> Photo:
    """A photo of a data source, whatever directory a process works in."""
    if not isinstance(sample.image, Path):
        return Photo(sample, sample.id)
    image = sample.image.absolute()
    return Photo(replace(sample, image=image), str(image))


def _digest(names: Iterator[str] | Sequence[str]) -> str:
    found = hashlib.sha256()
    for name in names:
        found.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return found.hexdigest()[:16]
