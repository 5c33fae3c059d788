"""Class names and mask values: the twenty of VOC, classes.txt, or what the tags say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.images import IGNORE, voc_palette
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
_IGNORED = ("ignore", "ignored", "void", "unlabeled", "unlabelled")
_MOST = 254
_QUOTED = re.compile(r"""^(["'])(?P<name>.+)\1\s*[,:\t ]?\s*(?P<value>\d+)?$""")
_VALUE_FIRST = re.compile(r"^(?P<value>\d+)\s*[:,\t ]\s*(?P<name>\S.*)$")


@dataclass(frozen=True)
class ClassList:
    """The classes that a classes.txt names.

    Attributes:
        classes: names and values; where the file gives the one class the value 255, the value is 1.
        path: the file.
        recode: what masks on disk hold and what it counts as, such as ((255, 1),).
    """

    classes: Classes
    path: Path
    recode: tuple[tuple[int, int], ...] = ()


def read_classes(path: Path, *, voc_values: bool = False, tags: Collection[str] = ()) -> ClassList:
    """Read a classes.txt: one name a line, optionally with its mask value.

    "cat", "cat 8", "cat,8", "8 cat", "8: cat" and "cat: 8" are understood; names may hold spaces. A name that ends in
    a number stands in quotes ('"lane 2"'), has a comma before its value ("lane 2,7"), or is known from the tags.
    Lines for the background and for what is ignored, as labelme writes them (``_background_``, ``__ignore__``), add
    no class. Without values they are 1..n in the file's order. The only class may have the value 255, for masks of 0
    and 255.

    Args:
        path: the file.
        voc_values: where the file gives no values and all names are of VOC, take VOC's.
        tags: of the photos; a line that is one of them is a name as a whole.

    Raises:
        WeaksegError: naming file and line: a name or value twice, values outside 1..254,
            values on some lines only, or no class at all.
    """
    lines = [(f"{path} line {n}", line) for n, line in enumerate(read_text(path).splitlines(), start=1) if line.strip()]
    found = [(where, *_name_and_value(line, where, tags)) for where, line in lines]
    if _numbered_names([entry for entry in found if not _is_no_class(*entry[1:])]):
        found = [(where, line.strip(), None) for where, line in lines]
    names: list[str] = []
    values: list[int | None] = []
    for where, name, value in found:
        if _is_no_class(name, value):
            continue
        if name in names:
            raise WeaksegError(
                f"{where}: class {name!r} stands there twice (a name that ends in a number goes in quotes)"
            )
        if value is not None and (value in values or not 1 <= value <= IGNORE):
            raise WeaksegError(f"{where}: mask value {value} of {name!r} must be unique and in 1..{_MOST}")
        if values and (value is None) != (values[0] is None):
            raise WeaksegError(
                f"{where}: give a mask value on every line or on none (a name that ends in a number goes in quotes)"
            )
        names.append(name)
        values.append(value)
    if not names:
        raise WeaksegError(f"{path}: lists no class; write one name a line")
    if IGNORE in values and len(names) > 1:
        raise WeaksegError(
            f"{path}: mask value {IGNORE} means ignore; only where there is one class may it be the object"
        )
    if IGNORE in values:
        return ClassList(_classes(names, (1,), str(path)), path, ((IGNORE, 1),))
    given = tuple(value for value in values if value is not None)
    return ClassList(_classes(names, given or _default_values(names, voc_values), str(path)), path)


def possible_names(path: Path) -> set[str]:
    """The names that lines of a classes.txt may mean, with and without a value; empty without the file."""
    if not path.is_file():
        return set()
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    return {*lines, *read_classes(path).classes.names}


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


def _is_no_class(name: str, value: int | None) -> bool:
    """Whether a line of classes.txt stands for the background or for what is ignored."""
    plain = name.strip("_ ").lower()
    return (plain == BACKGROUND_NAME and value in (None, 0)) or (plain in _IGNORED and value in (None, IGNORE))


def _numbered_names(found: Sequence[tuple[str, str, int | None]]) -> bool:
    """Whether the numbers are parts of the names: "lane 1" and "lane 2" would be one name with two values."""
    names = [name for _, name, value in found if value is not None]
    same_value = any(count > 1 for count in Counter((name, value) for _, name, value in found).values())
    return len(names) == len(found) > 1 and len(set(names)) == 1 and not same_value


def _name_and_value(line: str, where: str, tags: Collection[str]) -> tuple[str, int | None]:
    """Split "traffic light 10", "cat,8", "8: cat" or "cat" into name and value."""
    text = line.strip()
    quoted = _QUOTED.match(text)
    if quoted:
        return quoted["name"].strip(), int(quoted["value"]) if quoted["value"] else None
    if text in tags:
        return text, None
    first = _VALUE_FIRST.match(text)
    if first and not first["name"].strip().isdecimal():
        return first["name"].strip(), int(first["value"])
    separator = next((mark for mark in ",\t:" if mark in text), None)
    name, _, value = (part.strip() for part in text.rpartition(separator or " "))
    if separator is None and not (name and value.isdecimal()):
        return text, None
    if not (name and value.isdecimal()):
        raise WeaksegError(f"{where}: {text!r} is not a class name with an optional mask value")
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
