"""Masks of a VOC folder, or of a folder of PNG files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from weakseg.data.images import IGNORE, read_mask
from weakseg.data.labels import read_classes
from weakseg.data.sample import Array, Classes
from weakseg.errors import WeaksegError
from weakseg.exporters.incoming.returned import Returned, Returns, label_of

FOLDERS = ("SegmentationClass", "SegmentationClassAug", "masks")


def read_pictures(path: Path, known: Classes) -> Returns:
    """Read ``SegmentationClass/ID.png``, ``masks/ID.png`` or ``ID.png`` of a folder.

    What values mean stands in a classes.txt there or beside the masks; without one they are those of the data, as
    VOC's are where its classes are.

    Raises:
        WeaksegError: no mask there.
    """
    masks = next((path / name for name in FOLDERS if (path / name).is_dir()), path)
    files = sorted(masks.rglob("*.png"))
    if not files:
        raise WeaksegError(f"{path}: holds no mask; looked for PNG files in {', '.join(FOLDERS)} and in the folder")
    listed = next((place for place in (path / "classes.txt", masks / "classes.txt") if place.is_file()), None)
    voc = masks.name.startswith("Seg")
    own = read_classes(listed, voc_values=voc).classes if listed else known
    names = dict(zip(own.values, own.names, strict=True))
    photos = [
        Returned(
            str(file),
            (file.relative_to(masks).as_posix().removesuffix(".png"),),
            partial(_read, file=file, names=names),
        )
        for file in files
    ]
    return Returns("VOC's folders" if voc else "a folder of PNG masks", photos)


def _read(classes: Classes, file: Path, names: dict[int, str]) -> Array:
    values = read_mask(file)
    labels = np.zeros(values.shape, np.uint8)
    for value in np.unique(values).tolist():
        if value in names:
            labels[values == value] = label_of(names[value], classes, str(file))
        elif value == IGNORE:
            labels[values == value] = IGNORE
        elif value:
            known = ", ".join(f"{number} {name}" for number, name in sorted(names.items()))
            raise WeaksegError(f"{file}: value {value} is of no class; values are 0 background, {known}, 255")
    return labels
