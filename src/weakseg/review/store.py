"""The reviews of a run on disk: every decision is there at once, and two windows do not overwrite each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from weakseg.data.images import write_mask
from weakseg.data.paths import read_text
from weakseg.data.reviews import Review, as_json, read_reviews, write_review
from weakseg.data.sample import Array, Classes
from weakseg.errors import WeaksegError
from weakseg.files import replacing
from weakseg.pipeline.rundir.contents import hash_of
from weakseg.pipeline.rundir.run import digest

MASKS = "masks"


class StaleError(WeaksegError):
    """Somebody has changed the review of a photo since it was read."""


@dataclass(frozen=True)
class Store:
    """The file of reviews, with masks drawn by hand in ``masks`` beside it.

    Attributes:
        file: the JSON lines.
        classes: of tags and masks.
    """

    file: Path
    classes: Classes

    def read(self) -> Mapping[str, Review]:
        """The last review of each photo by id. Raises WeaksegError for a file that holds anything else."""
        return read_reviews(self.file, self.classes) if self.file.exists() else {}

    def version(self, name: str) -> str:
        """What changes with every change of a photo's review or of its drawn mask; "" without one."""
        lines = [line for line in self._lines() if _id(line) == name]
        mask = self.mask_path(name)
        return digest([lines, hash_of(mask) if mask.exists() else None]) if lines else ""

    def mask_path(self, name: str) -> Path:
        """Where the mask of a photo goes that is drawn here."""
        return self.file.parent / MASKS / f"{name}.png"

    def write(self, name: str, version: str, review: Review | None, mask: Array | None = None) -> str:
        """Write the review of a photo; None takes it back.

        Args:
            name: id of the photo, which must be one of the run's.
            version: that the change was made on.
            review: its new review, whose mask is at ``mask_path``.
            mask: of a corrected photo, uint8 (H, W), in the values of the classes.

        Returns:
            the new version.

        Raises:
            StaleError: the photo has another version by now; nothing is written.
            WeaksegError: it cannot be written.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.parent / ".lock"):
                if self.version(name) != version:
                    raise StaleError(f"{name}: was changed in another window; its newest state is shown")
                if mask is not None:  # before the line that names it: a kill leaves no line without its mask
                    write_mask(self.mask_path(name), mask, self.classes.palette)
                if review is None:
                    self._drop(name)
                elif self._last(name) != as_json(review, self.file.parent):
                    write_review(self.file, review)
                return self.version(name)
        except OSError as error:
            raise WeaksegError(f"{self.file}: cannot be written ({error.strerror}); make room there") from error

    def _last(self, name: str) -> object:
        lines = [line for line in self._lines() if _id(line) == name]
        return json.loads(lines[-1]) if lines else None

    def _drop(self, name: str) -> None:
        kept = [line for line in self._lines() if _id(line) != name]
        with replacing(self.file) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def _lines(self) -> list[str]:
        text = read_text(self.file) if self.file.exists() else ""
        return [line for line in text.split("\n") if line.strip()]


def _id(line: str) -> object:
    try:
        return json.loads(line)["id"]
    except (ValueError, KeyError, TypeError):
        return None
