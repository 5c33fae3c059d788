"""What ``weakseg predict`` leaves: masks, overlays, and a list of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from weakseg.data.images import overlay, write_image, write_mask
from weakseg.data.labels import read_classes
from weakseg.data.sample import Array, Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.files import replacing

LIST, CLASSES = "masks.csv", "classes.txt"
LABELLED = "label.json"
"""What ``weakseg label`` keeps of a job, beside its classes."""
MASKS, OVERLAYS = "masks", "overlays"
HEADER = ("image", "mask", "found", "left out")
NOT_DONE = "not done yet"


@dataclass(frozen=True)
class Places:
    """Where the results go: OUT/masks, OUT/overlays, OUT/masks.csv and OUT/classes.txt.

    A folder that is itself called masks holds the masks directly: nobody wants masks/masks.

    Attributes:
        out: the folder that was asked for.
    """

    out: Path

    @property
    def masks(self) -> Path:
        """The folder of the mask PNGs."""
        return self.out if self.out.absolute().name == MASKS else self.out / MASKS

    @property
    def overlays(self) -> Path:
        """The folder of the pictures with their masks drawn over them."""
        return self.out / OVERLAYS

    @property
    def list(self) -> Path:
        """The table of photos and masks."""
        return self.out / LIST

    @property
    def classes(self) -> Path:
        """The names of the masks' values."""
        return self.out / CLASSES

    def files(self, name: str) -> tuple[Path, Path]:
        """Mask and overlay of an id."""
        return self.masks / f"{name}.png", self.overlays / f"{name}.png"


@dataclass
class Predictions:
    """The results of one call, written photo by photo.

    Attributes:
        places: where they go.
        samples: the photos, in order.
        classes: of the masks.
        found: by id, the class names that a mask holds.
        left_out: by id, why a photo has no mask.
    """

    places: Places
    samples: Sequence[Sample]
    classes: Classes
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> int:
        """How many masks are background everywhere."""
        return sum(not names for names in self.found.values())

    def check(self, overwrite: bool) -> None:
        """Refuse to mix with files that are there; nothing is touched.

        Args:
            overwrite: what an earlier call has written may go. What an interrupted one has left may always.

        Raises:
            WeaksegError: naming the folder and the way out.
        """
        places = self.places
        inside = places.masks == places.out
        if inside and any(sample.id.split("/")[0].casefold() == OVERLAYS for sample in self.samples):
            raise WeaksegError(f"{places.out}: a folder of the photos is called {OVERLAYS}, too; choose another --out")
        rows = _read(places.list)
        there = {path for folder in (places.masks, places.overlays) for path in folder.rglob("*.png")}
        if rows is None:
            there |= {path for path in (places.list, places.classes) if path.exists()}
        foreign = sorted(there - set(_listed(places)))
        if foreign:
            raise WeaksegError(f"{foreign[0]}: not written by `weakseg predict`; choose another --out")
        interrupted = any(row["left out"] == NOT_DONE for row in rows or ())
        if rows is not None and not (overwrite or interrupted):
            raise WeaksegError(
                f"{places.out}: holds masks of an earlier `weakseg predict`; choose another --out, "
                "or replace them with --overwrite"
            )

    def write(self, sample: Sample, image: Array, mask: Array) -> None:
        """Write mask and overlay of one photo; before the first one what an earlier call has written goes.

        Args:
            sample: the photo.
            image: uint8 RGB (H, W, 3).
            mask: uint8 (H, W), values as on disk.
        """
        if not self.found:
            for path in _listed(self.places):
                path.unlink(missing_ok=True)
            self.write_list()  # of what is going to come: a call that is killed leaves nothing that is not listed
        palette, (mask_file, overlay_file) = self.classes.palette, self.places.files(sample.id)
        write_mask(mask_file, mask, palette)
        write_image(overlay_file, overlay(image, mask, palette))
        values = np.unique(mask)
        pairs = zip(self.classes.names, self.classes.values, strict=True)
        self.found[sample.id] = tuple(name for name, value in pairs if value in values)

    def write_list(self) -> None:
        """Write the list: every photo with its mask, the classes found in it, or why it was left out; and the classes.

        Paths are relative to the list, but for photos that were given by an absolute one.
        """
        folder = self.places.out
        with replacing(self.places.classes) as temporary:
            temporary.write_text(self.classes.listed(), encoding="utf-8")
        with replacing(self.places.list) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            for sample in self.samples:
                names, reason = self.found.get(sample.id), self.left_out.get(sample.id)
                mask = "" if reason else self.places.files(sample.id)[0].relative_to(folder).as_posix()
                state = reason or ("" if names is not None else NOT_DONE)
                writer.writerow([_shown(sample, folder), mask, ";".join(names or ()), state])


def listed_classes(masks: Path) -> Classes | None:
    """The classes of masks that ``weakseg predict`` has written; None without its list. See ``listed_photos``."""
    folder = next((folder for folder in (masks, masks.parent) if _read(folder / LIST) is not None), None)
    return read_classes(folder / CLASSES).classes if folder and (folder / CLASSES).is_file() else None


def written_classes(masks: Path) -> Classes | None:
    """The classes of masks that ``weakseg predict`` or ``weakseg label`` has written; None of others."""
    labelled = next((folder for folder in (masks, masks.parent) if (folder / LABELLED).is_file()), None)
    if labelled is None or not (labelled / CLASSES).is_file():
        return listed_classes(masks)
    return read_classes(labelled / CLASSES).classes


def listed_photos(masks: Path) -> dict[Path, Path]:
    """The photos that ``weakseg predict`` made the masks of a folder from; empty without a list.

    Args:
        masks: the folder of masks, with the list in it or beside it.

    Returns:
        path of the photo by path of its mask.
    """
    for folder in (masks, masks.parent):
        rows = _read(folder / LIST)
        if rows:
            return {folder / row["mask"]: folder / row["image"] for row in rows if row["mask"]}
    return {}


def _listed(places: Places) -> list[Path]:
    """The files that an earlier call has written, by its list."""
    masks = [places.out / row["mask"] for row in _read(places.list) or () if row["mask"]]
    names = [mask.relative_to(places.masks) for mask in masks if mask.is_relative_to(places.masks)]
    return [path for name in names if ".." not in name.parts for path in places.files(str(name.with_suffix("")))]


def _read(path: Path) -> list[dict[str, str]] | None:
    """The rows of a list; None if there is none, or another table of that name."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            known = tuple(rows.fieldnames or ()) == HEADER
            return [{name: row[name] or "" for name in HEADER} for row in rows] if known else None
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


def _shown(sample: Sample, folder: Path) -> str:
    """A photo's path as the list has it; the id of a picture that is no file."""
    if not isinstance(sample.image, Path):
        return sample.id
    return str(sample.image) if sample.image.is_absolute() else os.path.relpath(sample.image, folder)
