"""Reading text, listing images, and the ids that image paths become."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from weakseg.errors import WeaksegError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def read_text(path: Path) -> str:
    """A whole UTF-8 text file, with or without byte order mark.

    Raises:
        WeaksegError: the file is missing, unreadable or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
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
    text = "/".join(parts).replace("\\", "_").replace("..", "_")
    return "".join(char if char.isprintable() else "_" for char in text) or "image"


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
