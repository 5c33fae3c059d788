"""What people said of masks and tags: one JSON line a review, the last line of a photo counts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from weakseg.data.paths import read_text
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError, one_of

Decision = Literal["accepted", "corrected", "rejected", "tags"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
_KEYS = ("id", "decision", "tags", "mask")


@dataclass(frozen=True)
class Review:
    """What was decided of one photo.

    Attributes:
        id: of the sample.
        decision: "accepted": the mask is right as it is; "corrected": ``mask`` is the right one; "rejected": nothing
            may learn from the mask; "tags": the tags were wrong and are now ``tags``.
        tags: of the photo, as class names; None where the review says nothing of them.
        mask: of a corrected photo: a PNG in the values of the classes.
    """

    id: str
    decision: Decision
    tags: tuple[str, ...] | None = None
    mask: Path | None = None


def read_reviews(path: Path, classes: Classes) -> dict[str, Review]:
    """Read a file of reviews.

    Args:
        path: one JSON object a line: {"id": ..., "decision": ..., "tags": [...], "mask": "relative/path.png"}.
        classes: that tags must be of.

    Returns:
        by id the last review of each photo, in the order in which photos were first reviewed; masks as paths.

    Raises:
        WeaksegError: the file cannot be read, or a line is no review; naming file and line.
    """
    found: dict[str, Review] = {}
    # A cell of text may hold other line ends of Unicode; JSON lines end in "\n" alone.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            review = _review(line, f"{path} line {number}", path.parent, classes)
            found[review.id] = review
    return found


def write_review(path: Path, review: Review) -> None:
    """Append one review; a reader sees the whole line or none of it, whatever ends the process.

    Args:
        path: the file, made with its folder where it is not there.
        review: its mask, if any, must lie beside the file or in a folder below; the line has the relative path.

    Raises:
        WeaksegError: the file cannot be written, or the mask lies elsewhere.
    """
    line = (json.dumps(as_json(review, path.parent), ensure_ascii=False) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write to a file opened for appending: lines of several processes do not mix.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a line that a full disk has cut
                line = b"\n" + line
            if os.write(handle, line) != len(line):
                os.ftruncate(handle, size)
                raise OSError(28, "no space left")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be written ({error.strerror}); make room there") from error


def as_json(review: Review, folder: Path) -> dict[str, Any]:
    """A review as its line has it.

    Args:
        review: the review.
        folder: of the file of reviews, which masks are relative to.

    Raises:
        WeaksegError: the mask is not below the folder.
    """
    line: dict[str, Any] = {"id": review.id, "decision": review.decision}
    if review.tags is not None:
        line["tags"] = list(review.tags)
    if review.mask is not None:
        below = os.path.relpath(review.mask, folder)
        if below.startswith(".."):
            raise WeaksegError(f"{review.mask}: a mask of a review must lie below {folder}, where the reviews are")
        line["mask"] = Path(below).as_posix()
    return line


def _review(line: str, where: str, folder: Path, classes: Classes) -> Review:
    """One line. Raises WeaksegError for anything that is no review."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise WeaksegError(f"{where}: not valid JSON ({error}); mend or delete the line") from None
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise WeaksegError(f"{where}: a review is an object with the id of a photo, {_example()}")
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        raise WeaksegError(f"{where}: {one_of('key of a review', unknown[0], _KEYS)}")
    decision, tags, mask = entry.get("decision"), entry.get("tags"), entry.get("mask")
    if decision not in DECISIONS:
        raise WeaksegError(f"{where}: {one_of('decision', str(decision), DECISIONS)}")
    if (mask is not None) != (decision == "corrected"):
        raise WeaksegError(f"{where}: a corrected photo has a mask and no other has one, {_example()}")
    if decision == "tags" and tags is None:
        raise WeaksegError(f'{where}: the decision "tags" needs the tags, an empty list for none')
    path = None if mask is None else _mask(mask, where, folder)
    return Review(entry["id"], decision, None if tags is None else _tags(tags, where, classes), path)


def _tags(tags: object, where: str, classes: Classes) -> tuple[str, ...]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise WeaksegError(f"{where}: tags are a list of class names, not {tags!r}")
    for tag in tags:
        if tag not in classes.names:
            raise WeaksegError(f"{where}: {one_of('class', tag, classes.names)}")
    return tuple(dict.fromkeys(tags))


def _mask(mask: object, where: str, folder: Path) -> Path:
    if not isinstance(mask, str) or not mask or PurePosixPath(mask).is_absolute() or ".." in PurePosixPath(mask).parts:
        raise WeaksegError(f"{where}: mask is a path below {folder}, not {mask!r}")
    return folder / mask


def _example() -> str:
    return 'as {"id": "cat/1", "decision": "corrected", "tags": ["cat"], "mask": "masks/cat/1.png"}'
