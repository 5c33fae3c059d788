"""Data source ``cityscapes:PATH``: leftImg8bit and gtFine of Cityscapes, tags from the masks."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.images import IGNORE, voc_palette
from weakseg.data.sample import Classes, Sample, Source
from weakseg.data.sources.masktags import source_of_masks
from weakseg.errors import WeaksegError

PHOTOS, MASKS = "leftImg8bit", "gtFine"
SPLITS = ("train", "val")
LABELS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
"""The 19 classes that the benchmark scores, and their values in labelIds.png; other values are ignored.

Source: Cordts et al. 2016, cityscapesScripts, helpers/labels.py.
"""


def open_cityscapes(path: str | Path) -> Source:
    """Open the folder that holds leftImg8bit and gtFine as the archives unpack.

    Splits are train and val; the masks of test are not public. Ids are CITY/NAME without "_leftImg8bit". Tags are the
    classes that a photo's mask holds; no pixel is background.

    Raises:
        WeaksegError: the folder is not laid out so.
    """
    root = Path(path).expanduser()
    for folder in (root / PHOTOS, root / MASKS):
        if not folder.is_dir():
            raise WeaksegError(f"{folder}: no such folder; cityscapes:PATH wants {PHOTOS} and {MASKS} in PATH")
    classes = Classes(tuple(LABELS), tuple(LABELS.values()), voc_palette())
    recode = tuple((value, IGNORE) for value in range(IGNORE) if value not in classes.values)
    listed = {split: sorted((root / PHOTOS / split).glob(f"*/*_{PHOTOS}.png")) for split in SPLITS}
    splits = {
        split: [_sample(photo, root, split, recode) for photo in photos] for split, photos in listed.items() if photos
    }
    if not splits:
        raise WeaksegError(f"{root / PHOTOS}: no photo in {' or '.join(f'{split}/CITY' for split in SPLITS)}")
    test = root / PHOTOS / "test"
    after = [f"{test}: left out, as its masks are not public"] if test.is_dir() else []
    return source_of_masks(f"cityscapes:{path}", root, splits, (classes, recode), title="Cityscapes", after=after)


def _sample(photo: Path, root: Path, split: str, recode: tuple[tuple[int, int], ...]) -> Sample:
    city, name = photo.parent.name, photo.name.removesuffix(f"_{PHOTOS}.png")
    mask = root / MASKS / split / city / f"{name}_{MASKS}_labelIds.png"
    return Sample(f"{city}/{name}", photo, (), mask if mask.is_file() else None, recode=recode)
