"""Class names and mask values: the twenty of VOC, classes.txt, or what the tags say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from weakseg.data.images import voc_palette
from weakseg.data.paths import read_text
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError

# fmt: off
VOC_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
# fmt: on
BACKGROUND_NAME = "background"
_MOST = 254


def read_classes(path: Path, *, voc_values: bool = False) -> Classes:
    """Read a classes.txt: one name a line, optionally followed by its mask value.

    A name may hold spaces; a comma or tab, or the last space, comes before the value. A line for
    the background is allowed and adds nothing. Without values they are 1..n in the file's order.

    Args:
        path: the file.
        voc_values: where the file gives no values and all names are of VOC, take VOC's.

    Raises:
        WeaksegError: naming file and line: a name or value twice, values outside 1..254,
            values on some lines only, or no class at all.
    """
    names: list[str] = []
    values: list[int | None] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        name, value = _name_and_value(line, where)
        if name.lower() == BACKGROUND_NAME and value in (None, 0):
            continue
        if name in names:
            raise WeaksegError(f"{where}: class {name!r} stands there twice")
        if value is not None and (not 1 <= value <= _MOST or value in values):
            raise WeaksegError(f"{where}: mask value {value} of {name!r} must be unique and in 1..{_MOST}")
        if values and (value is None) != (values[0] is None):
            raise WeaksegError(f"{where}: give a mask value on every line or on none")
        names.append(name)
        values.append(value)
    if not names:
        raise WeaksegError(f"{path}: lists no class; write one name a line")
    given = tuple(value for value in values if value is not None)
    return _classes(names, given or _default_values(names, voc_values), str(path))


def classes_of_tags(tags: Iterable[str], where: object, *, voc_values: bool = False) -> Classes:
    """The classes that a set of tags names.

    Sorted, with values 1..n; where all are of VOC and ``voc_values`` is asked for, in VOC's
    order with VOC's values.

    Args:
        tags: tags, in any order and number.
        where: the file or folder that errors name.
        voc_values: whether VOC's order and values may be taken.
    """
    names = sorted(set(tags))
    if voc_values and is_voc(names):
        names.sort(key=VOC_NAMES.index)
    return _classes(names, _default_values(names, voc_values), str(where))


def check_tags(tags: Sequence[str], classes: Classes, where: str, listed_in: object) -> None:
    """Refuse a tag that no class has.

    Args:
        tags: the tags of one image.
        classes: the known classes.
        where: file and image, for the error.
        listed_in: the file that lists the classes.

    Raises:
        WeaksegError: naming file, image and tag, with the classes there are.
    """
    for tag in tags:
        if tag not in classes.names:
            raise WeaksegError(f"{where}: no class {tag!r} in {listed_in}; available: {', '.join(classes.names)}")


def is_voc(names: Iterable[str]) -> bool:
    """Whether all names are of VOC's twenty."""
    return set(names) <= set(VOC_NAMES)


def guessed_values(classes: Classes, listed: Path) -> str:
    """The warning that no file told the mask values; ``listed`` is the file that would."""
    pairs = ", ".join(f"{name} {value}" for name, value in zip(classes.names, classes.values, strict=True))
    return f"mask values are taken to be {pairs}; if they are not, write them to {listed}"


def _name_and_value(line: str, where: str) -> tuple[str, int | None]:
    """Split "traffic light 10", "cat,8" or "cat" into name and value."""
    separator = next((mark for mark in ",\t" if mark in line), None)
    name, _, value = (part.strip() for part in line.strip().rpartition(separator or " "))
    if separator is None and not (name and value.isdecimal()):
        return line.strip(), None
    if not (name and value.isdecimal()):
        raise WeaksegError(f"{where}: {line.strip()!r} is not a class name with an optional mask value")
    return name, int(value)


def _default_values(names: Sequence[str], voc_values: bool) -> tuple[int, ...]:
    if voc_values and is_voc(names):
        return tuple(VOC_NAMES.index(name) + 1 for name in names)
    return tuple(range(1, len(names) + 1))


def _classes(names: Sequence[str], values: tuple[int, ...], where: str) -> Classes:
    """Build Classes, refusing what cannot be one."""
    if not names:
        raise WeaksegError(f"{where}: no image has a tag")
    if len(names) > _MOST:
        raise WeaksegError(f"{where}: {len(names)} classes; masks of 8 bits hold at most {_MOST}")
    if BACKGROUND_NAME in map(str.lower, names):
        raise WeaksegError(f"{where}: {BACKGROUND_NAME!r} is no tag; an image of background alone has none")
    return Classes(tuple(names), values, voc_palette())
