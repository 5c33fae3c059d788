"""Data source ``camvid:PATH``: CamVid as Cambridge's archives unpack or as SegNet's authors share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weakseg.data.images import IGNORE, read_image, voc_palette
from weakseg.data.paths import list_images, read_text
from weakseg.data.sample import Array, Classes, Sample, Source
from weakseg.data.sources.masktags import source_of_masks
from weakseg.errors import WeaksegError

PHOTOS, MASKS = "701_StillsRaw_full", ("LabeledApproved_full", "")
SPLITS = ("train", "val", "test")
NAMES = (
    "sky", "building", "pole", "road", "pavement", "tree", "signsymbol", "fence", "car", "pedestrian", "bicyclist"
)  # fmt: skip
"""The eleven classes that are scored; in SegNet's masks the first has the value 0, and 11 is void."""
COLOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "sky": ((128, 128, 128),),
    "building": ((0, 128, 64), (128, 0, 0), (64, 192, 0), (64, 0, 64), (192, 0, 128)),
    "pole": ((192, 192, 128), (0, 0, 64)),
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),
    "tree": ((128, 128, 0), (192, 192, 0)),
    "signsymbol": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),
    "fence": ((64, 64, 128),),
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    "bicyclist": ((0, 128, 192), (192, 0, 192)),
}
"""The colours of Cambridge's masks: its 31 classes grouped into eleven. Other colours are void.

Source: label_colors.txt of CamVid (Brostow, Fauqueur and Cipolla 2009), grouped as for SegNet (Badrinarayanan et al.
2017).
"""


@dataclass(frozen=True)
class ColouredMask:
    """A mask of colours, read when it is asked for.

    Attributes:
        file: an RGB picture in the colours of ``COLOURS``.
    """

    file: Path

    def __str__(self) -> str:
        """What messages call it."""
        return str(self.file)

    def __call__(self) -> Array:
        """Mask values 1..11, 255 for other colours; uint8 (H, W). Raises WeaksegError if it cannot be read."""
        pixels = read_image(self.file).astype(np.int32)
        mask: Array = _table()[(pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]]
        return mask


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    """The value of every colour."""
    table = np.full(1 << 24, IGNORE, np.uint8)
    for value, name in enumerate(NAMES, start=1):
        for red, green, blue in COLOURS[name]:
            table[(red << 16) | (green << 8) | blue] = value
    return table


def open_camvid(path: str | Path) -> Source:
    """Open PATH/701_StillsRaw_full with PATH/LabeledApproved_full, or PATH/train with PATH/trainannot and so on.

    Cambridge's archives name no splits: those of PATH/train.txt, val.txt and test.txt count, with an id a line, and
    without them everything is "train". Tags are the classes that a photo's mask holds; no pixel is background.

    Raises:
        WeaksegError: the folder is not laid out so.
    """
    root = Path(path).expanduser()
    warnings: list[str] = []
    problems: list[str] = []
    recode: tuple[tuple[int, int], ...] = ()
    if (root / PHOTOS).is_dir():
        listed = _cambridge(root, warnings, problems)
    else:
        # Values 0..10 are the classes, 11 is void.
        recode = (*((value, value + 1) for value in range(len(NAMES))), (len(NAMES), IGNORE))
        listed = _segnet(root, recode)
    classes = Classes(NAMES, tuple(range(1, len(NAMES) + 1)), voc_palette())
    return source_of_masks(
        f"camvid:{path}", root, listed, (classes, recode), title="CamVid", problems=problems, before=warnings
    )


def _cambridge(root: Path, warnings: list[str], problems: list[str]) -> dict[str, list[Sample]]:
    """Samples by split of photos whose masks are called ID_L.png, in LabeledApproved_full or in PATH itself."""
    photos = {photo.stem: photo for photo in list_images(root / PHOTOS)}
    folder = next((root / name for name in MASKS if any((root / name).glob("*_L.png"))), None)
    if folder is None:
        raise WeaksegError(f"{root / MASKS[0]}: no masks ID_L.png; camvid:PATH wants {PHOTOS} and {MASKS[0]} in PATH")
    lists = {split: root / f"{split}.txt" for split in SPLITS if (root / f"{split}.txt").is_file()}
    if not lists:
        warnings.append(f"{root}: names no splits, so all photos are of train; write ids to val.txt and train.txt")
    splits: dict[str, list[Sample]] = {}
    for split, path in lists.items():
        names = [Path(line.split()[0]).stem for line in read_text(path).splitlines() if line.strip()]
        missing = [name for name in names if name not in photos]
        if missing:
            problems.append(
                f"{root / PHOTOS}: {len(missing)} photos of {path.name} are not there (first: {missing[0]})"
            )
        splits[split] = _coloured([photos[name] for name in dict.fromkeys(names) if name in photos], folder)
    return splits or {"train": _coloured(list(photos.values()), folder)}


def _coloured(photos: Sequence[Path], folder: Path) -> list[Sample]:
    masks = [folder / f"{photo.stem}_L.png" for photo in photos]
    return [
        Sample(photo.stem, photo, (), ColouredMask(mask) if mask.is_file() else None)
        for photo, mask in zip(photos, masks, strict=True)
    ]


def _segnet(root: Path, recode: tuple[tuple[int, int], ...]) -> dict[str, list[Sample]]:
    """Samples by split of folders train and trainannot, and so on."""
    splits: dict[str, list[Sample]] = {}
    for split in SPLITS:
        photos, masks = root / split, root / f"{split}annot"
        if photos.is_dir() and masks.is_dir():
            splits[split] = [
                Sample(
                    photo.stem,
                    photo,
                    (),
                    mask if (mask := masks / f"{photo.stem}.png").is_file() else None,
                    recode=recode,
                )
                for photo in list_images(photos)
            ]
    if not any(splits.values()):
        raise WeaksegError(
            f"{root}: no CamVid there; camvid:PATH wants {PHOTOS} and {MASKS[0]} in PATH, or train and trainannot"
        )
    return splits
