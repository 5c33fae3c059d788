"""Reading text, listing images, and the ids that image paths become."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

from weakseg.errors import WeaksegError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw")
"""Suffixes of photos that are not read; they are counted, so that nobody misses them in silence."""
_LONGEST = 240  # bytes of a part of an id: with ".safetensors" it must fit into the 255 of a file name


def read_text(path: Path) -> str:
    """A whole text file: UTF-8, with or without byte order mark, or UTF-16 with one.

    Raises:
        WeaksegError: the file is missing, unreadable or not UTF-8.
    """
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WeaksegError(f"{path} line {line}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be read ({error.strerror or error})") from None


def list_images(folder: Path) -> list[Path]:
    """All image files (by suffix) below a folder, sorted; hidden files and folders are skipped."""
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        found += [Path(where, name) for name in names if is_image_name(name)]
    return sorted(found)


def unread_photos(folder: Path) -> dict[str, int]:
    """How many files below a folder have a suffix of ``UNREAD_SUFFIXES``, by suffix; hidden ones do not count."""
    found: Counter[str] = Counter()
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        suffixes = (os.path.splitext(name)[1].lower() for name in names if not name.startswith("."))
        found.update(suffix for suffix in suffixes if suffix in UNREAD_SUFFIXES)
    return dict(found)


def unread_line(folder: Path) -> str | None:
    """The line that says which photos below a folder are not read, with the way out; None if there are none."""
    found = unread_photos(folder)
    if not found:
        return None
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(found.items()))
    return f"{folder}: photos of kinds that are not read, left out: {counts}; convert them to JPEG or PNG"


def is_image_name(name: str) -> bool:
    """Whether a file name has the suffix of an image (and is not hidden)."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def safe_id(path: PurePath) -> str:
    """The sample id of an image path: relative, no suffix, forward slashes, never a dot-dot.

    Example:
        >>> from pathlib import PurePosixPath
        >>> safe_id(PurePosixPath("../photos/cat.1.jpg"))
        'photos/cat.1'
    """
    parts = [part for part in (*path.parent.parts, path.stem) if part != path.anchor and part.strip(". ")]
    text = "/".join(_shortened(part) for part in parts).replace("\\", "_").replace("..", "_")
    return "".join(char if char.isprintable() else "_" for char in text) or "image"


def _shortened(part: str) -> str:
    """A part of an id that fits into a file name; a hash keeps long ones apart."""
    content = part.encode("utf-8", "surrogateescape")
    if len(content) <= _LONGEST:
        return part
    return content[: _LONGEST - 9].decode("utf-8", "ignore") + "-" + hashlib.sha256(content).hexdigest()[:8]


def unique_ids(paths: Iterable[PurePath]) -> list[str]:
    """``safe_id`` of each path, made different where two would share an output file.

    A second "cat/1" gets its suffix ("cat/1-png"), then a number ("cat/1-png-2"). Letter case
    does not tell ids apart, as some file systems ignore it.
    """
    ids: list[str] = []
    taken: set[str] = set()
    for path in paths:
        plain = safe_id(path)
        with_suffix = f"{plain}-" + re.sub(r"\W", "_", path.suffix[1:])
        choice, number = plain, 1
        while choice.casefold() in taken:
            choice = with_suffix if number == 1 else f"{with_suffix}-{number}"
            number += 1
        taken.add(choice.casefold())
        ids.append(choice)
    return ids
