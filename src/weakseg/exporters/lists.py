"""Text files that name classes and photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.exporters.base import MaskSet
from weakseg.files import replacing

CLASSES = "classes.txt"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write UTF-8 text, one line each; atomic."""
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_classes(path: Path, classes: Classes) -> None:
    """Write the names of the values in masks as `weakseg.data.labels.read_classes` reads them."""
    write_lines(path, (f"{name}\t{value}" for name, value in zip(classes.names, classes.values, strict=True)))


def flat_names(masks: MaskSet) -> list[str]:
    """The photos' ids without folders, for formats that have none: a/1 is called a_1.

    Raises:
        WeaksegError: two photos would share a name.
    """
    names = [photo.id.replace("/", "_") for photo in masks.photos]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise WeaksegError(f"two photos would be called {repeated[0]}; rename one of them, or export to coco or png")
    return names


def renamed_line(masks: MaskSet) -> tuple[str, ...]:
    """The line that tells of names that have lost their folders; none where there are none."""
    renamed = [photo.id for photo in masks.photos if "/" in photo.id]
    if not renamed:
        return ()
    return (
        f"{len(renamed)} photos are in folders, which this format has not: {renamed[0]} is called "
        f"{renamed[0].replace('/', '_')}",
    )
