"""COCO's JSON, read without its outlines: these stay in the file, and their places are kept."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from weakseg.data.paths import read_text
from weakseg.errors import WeaksegError

Id = int | str
Text = Annotated[str, msgspec.Meta(pattern=r"\S")]
_NOTHING = (b"null", b"[]", b"{}", b'""')
_BYTE = re.compile(r"\(byte (\d+)\)")


class CocoImage(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    id: Id
    file_name: Text
    height: int | None = None
    width: int | None = None


class CocoCategory(msgspec.Struct, gc=False):
    """An entry of ``categories``."""

    id: Id
    name: Text


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id | None = None
    category_id: Id | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    iscrowd: int | bool | None = 0


class _Tree(msgspec.Struct, gc=False):
    images: list[CocoImage]
    annotations: list[_Annotation]
    categories: list[CocoCategory]


@dataclass(frozen=True)
class CocoIndex:
    """What COCO's JSON says, without outlines.

    Attributes:
        images: in its order.
        categories: likewise.
        owners: per annotation, the place of its image in ``images``; int64 (N,).
        kinds: per annotation, the place of its category in ``categories``; int64 (N,).
        outlines: per annotation, where its segmentation is: first byte, number of bytes (0 without one), and whether it
            is a crowd; int64 (N, 3).
        lost: annotations of no image or category of the file, and what the first one says; these are not in the arrays.
    """

    images: list[CocoImage]
    categories: list[CocoCategory]
    owners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    outlines: NDArray[np.int64]
    lost: tuple[int, str]

    def by_image(self) -> list[NDArray[np.int64]]:
        """Per image, the places of its annotations, in the file's order."""
        order = np.argsort(self.owners, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.owners, minlength=len(self.images)))[:-1])

    def lost_lines(self, path: Path) -> list[str]:
        """The line that tells of annotations that belong to nothing; none where all do."""
        count, first = self.lost
        if not count:
            return []
        return [f"{path}: {count} annotations are of no image or category of the file (first: {first})"]


def read_index(path: Path) -> CocoIndex:
    """Read COCO's JSON; a file of 400 MB takes seconds, and memory for its entries alone.

    Raises:
        WeaksegError: the file is missing, no JSON, or not COCO's.
    """
    content = _content(path)
    return _indexed(_decoded(path, content), content)


def _content(path: Path) -> mmap.mmap | bytes:
    """The bytes of a file; mapped where they are UTF-8 without a byte order mark."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
            if start[:1] in (b"{", b"[") and start[1:] != b"\0":
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last view of it
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be read ({error.strerror or error})") from None
    return read_text(path).encode()


def _decoded(path: Path, content: mmap.mmap | bytes) -> _Tree:
    try:
        return msgspec.json.decode(content, type=_Tree)
    except msgspec.ValidationError as error:
        raise WeaksegError(
            f"{path}: not COCO's JSON, which holds the lists images, annotations, categories ({error})"
        ) from None
    except msgspec.DecodeError as error:
        place = _BYTE.search(str(error))
        line = content[: int(place[1])].count(b"\n") + 1 if place else 1
        raise WeaksegError(f"{path} line {line}: not valid JSON ({error})") from None


def _indexed(tree: _Tree, content: mmap.mmap | bytes) -> CocoIndex:
    images = {image.id: place for place, image in enumerate(tree.images)}
    kinds = {category.id: place for place, category in enumerate(tree.categories)}
    table = np.zeros((len(tree.annotations), 5), np.int64)
    count, end, lost, first = 0, 0, 0, ""
    for entry in tree.annotations:
        outline = bytes(entry.segmentation)
        owner, kind = images.get(entry.image_id, -1), kinds.get(entry.category_id, -1)  # type: ignore[arg-type]
        if owner < 0 or kind < 0:
            first = first or f"image {entry.image_id}, category {entry.category_id}"
            lost += 1
            continue
        start, size = 0, 0
        if outline not in _NOTHING:
            # Entries come in the file's order; where equal bytes come earlier, these say the same.
            start, size = content.find(outline, end), len(outline)
            end = start + size
        table[count] = owner, kind, start, size, bool(entry.iscrowd)
        count += 1
    table = table[:count]
    return CocoIndex(tree.images, tree.categories, table[:, 0], table[:, 1], table[:, 2:], (lost, first))
