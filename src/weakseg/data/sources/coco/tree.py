"""Data source ``coco:FOLDER``: COCO as its archives unpack, annotations/instances_train2014.json beside train2014."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from weakseg.data.images import voc_palette
from weakseg.data.labels import ClassList, read_classes
from weakseg.data.paths import is_image_name, unique_ids
from weakseg.data.sample import Classes, Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.data.sources.coco.index import read_index
from weakseg.data.sources.coco.masks import OutlinedMask
from weakseg.data.sources.masktags import tagged_by_masks
from weakseg.data.sources.options import split_options
from weakseg.errors import WeaksegError, one_of

SPLITS = ("train", "val")
YEARS = ("2014", "2017")
_FORMS = ("year=2014", "year=2017", "masks=FOLDER")
# fmt: off
COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
# fmt: on
"""The 80 categories in the order of the annotations; the mask value of the first is 1."""


@dataclass
class _Found:
    """What the folder holds."""

    splits: dict[str, list[Sample]] = field(default_factory=dict)
    names: Sequence[str] = COCO_NAMES
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def open_coco_tree(options: str) -> Source:
    """Open "FOLDER" or "FOLDER,year=2017,masks=FOLDER".

    Splits are train and val, classes the 80 categories in the file's order with mask values 1..80, ids the file names
    without suffix. Tags are the categories of a photo's annotations, crowds too. Masks are drawn from the outlines
    when they are read (`OutlinedMask`), or are the PNGs ID.png below ``masks``. Without annotations tags are read from
    these. A classes.txt in the folder gives other mask values.

    Raises:
        WeaksegError: nothing of COCO is there, or annotations of both years and no ``year``.
    """
    root, given = split_options("coco", options, _FORMS)
    named = dict(given)
    for name in named.keys() - {"year", "masks"}:
        raise one_of("option of coco", name, _FORMS)
    year = _year(root, named.get("year"))
    masks = Path(named["masks"]).expanduser() if "masks" in named else None
    if masks is not None and not masks.is_dir():
        raise WeaksegError(f"{masks}: no such folder; masks=FOLDER must hold PNGs called as the photos of {root}")
    found = _Found()
    for split in SPLITS:
        photos = next(
            (path for path in (root / f"{split}{year}", root / "images" / f"{split}{year}") if path.is_dir()), None
        )
        listed = root / "annotations" / f"instances_{split}{year}.json"
        if photos is None:
            if listed.is_file():
                found.warnings.append(f"{root / f'{split}{year}'}: no such folder; the split {split} is left out")
        elif listed.is_file():
            _annotated(found, split, root, photos, masks)
        elif masks is not None:
            _masked(found, split, root, photos, masks)
        else:
            found.warnings.append(f"{listed}: no such file; the split {split} is left out")
    if not found.splits:
        raise WeaksegError(
            f"{root}: no photos of COCO {year}; {'; '.join(found.warnings) or 'train and val are missing'}"
        )
    known = _classes(root, found.names)
    empty = {split: found.problems[0] for split, samples in found.splits.items() if not samples and found.problems}
    return assemble(
        Listing(
            f"coco:{options}",
            root,
            found.splits,
            known.path,
            known,
            problems=found.problems,
            warnings=found.warnings,
            empty=empty,
        )
    )


def _year(root: Path, asked: str | None) -> str:
    if not root.is_dir():
        raise WeaksegError(
            f"{root}: no such file or folder; coco:PATH wants COCO's JSON, or the folder that holds annotations"
        )
    if asked is not None:
        if asked not in YEARS:
            raise one_of("year of coco", asked, YEARS)
        return asked
    there = [
        year
        for year in YEARS
        if any(
            (root / name).exists()
            for split in SPLITS
            for name in (f"annotations/instances_{split}{year}.json", f"{split}{year}", f"images/{split}{year}")
        )
    ]
    if not there:
        raise WeaksegError(f"{root}: neither annotations/instances_train2014.json nor ..._train2017.json is there")
    if len(there) > 1:
        raise WeaksegError(f"{root}: holds COCO 2014 and 2017; choose with coco:{root},year=2014 or year=2017")
    return there[0]


def _classes(root: Path, names: Sequence[str]) -> ClassList:
    """The classes of a classes.txt in the folder, else the categories with the values 1, 2, 3 ..."""
    listed = root / "classes.txt"
    if listed.is_file():
        return read_classes(listed, tags=set(names))
    return ClassList(Classes(tuple(names), tuple(range(1, len(names) + 1)), voc_palette()), listed)


def _annotated(found: _Found, split: str, root: Path, photos: Path, masks: Path | None) -> None:
    """Add the photos of a file of annotations."""
    listed = root / "annotations" / f"instances_{photos.name}.json"
    index = read_index(listed)
    found.names = [category.name.strip() for category in index.categories]
    found.problems += index.lost_lines(listed)
    there = {entry.name for entry in os.scandir(photos)}
    pngs = _pngs(masks, photos.name) if masks is not None else {}
    known = _classes(root, found.names).classes
    by_name = dict(zip(known.names, known.values, strict=True))
    values = np.array([by_name.get(name, 0) for name in found.names], np.int64)[index.kinds]
    ids = unique_ids(Path(image.file_name) for image in index.images)
    samples: list[Sample] = []
    missing: list[str] = []
    for name, image, own in zip(ids, index.images, index.by_image(), strict=True):
        if image.file_name not in there:
            missing.append(image.file_name)
            continue
        regions = np.column_stack([index.outlines[own], values[own]])
        size = (image.height, image.width)
        mask: Path | OutlinedMask | None = pngs.get(name)
        if masks is None and size[0] and size[1]:
            mask = OutlinedMask(listed, (size[0], size[1]), regions)
        tags = tuple(found.names[kind] for kind in dict.fromkeys(index.kinds[own].tolist()))
        samples.append(Sample(name, photos / image.file_name, tags, mask))
    if missing:
        found.problems.append(f"{photos}: {len(missing)} images of {listed.name} are not there (first: {missing[0]})")
    found.splits[split] = samples


def _masked(found: _Found, split: str, root: Path, photos: Path, masks: Path) -> None:
    """Add the photos of a folder, with the tags of their masks."""
    pngs = _pngs(masks, photos.name)
    names = sorted(entry.name for entry in os.scandir(photos) if is_image_name(entry.name))
    samples = [
        Sample(name, photos / file, (), pngs.get(name))
        for name, file in zip(unique_ids(map(Path, names)), names, strict=True)
    ]
    tagged, problems, line = tagged_by_masks(
        samples, _classes(root, COCO_NAMES).classes, f"there are no annotations of {photos.name}"
    )
    found.splits[split] = tagged
    found.problems += problems
    found.warnings += line


def _pngs(masks: Path, part: str) -> dict[str, Path]:
    """Masks by photo's id: in the folder of the photos' name below ``masks``, or in ``masks`` itself."""
    folder = masks / part if (masks / part).is_dir() else masks
    return {entry.name[:-4]: Path(entry.path) for entry in os.scandir(folder) if entry.name.lower().endswith(".png")}
