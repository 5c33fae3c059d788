"""Data source ``voc:PATH``: the folders of PASCAL VOC, with lists and labels from elsewhere where these are named."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.labels import ClassList, possible_names, read_classes
from weakseg.data.paths import IMAGE_SUFFIXES, read_text
from weakseg.data.sample import Sample, Source
from weakseg.data.sources.assemble import Listing, assemble, fits_voc
from weakseg.data.sources.options import split_options
from weakseg.data.sources.voctags import FoundTags, find_tags, image_id, labelled_tags
from weakseg.errors import WeaksegError

IMAGES = "JPEGImages"
MASKS = ("SegmentationClassAug", "SegmentationClass")
LISTS = "ImageSets/Segmentation"
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class _List:
    """A split file: its split, the ids that exist, how many lines it has, and what is wrong with it."""

    name: str
    path: Path
    ids: list[str]
    lines: int
    missing: dict[str, str]
    warnings: list[str]


def open_voc(options: str | Path) -> Source:
    """Open a folder laid out as PASCAL VOC: "PATH" or "PATH,lists=FILE,labels=cls_labels.npy".

    Images are in JPEGImages, masks in SegmentationClassAug or else SegmentationClass, splits in
    ImageSets/Segmentation/SPLIT.txt: an id a line, or "/JPEGImages/ID.jpg /.../ID.png". Tags:
    see ``weakseg.data.sources.voctags``. Classes: those of classes.txt, else those of the tags; where
    all are of VOC they have VOC's order and mask values, unless the masks hold 1..n.

    Args:
        options: the folder that holds JPEGImages; instead of its own lists ``lists``, a file, or a folder of them, each
            a split called as its file, or NAME=FILE for a split of that name; and ``labels``, the tags as
            cls_labels.npy. Files are looked for as they are written, then in the folder.

    Raises:
        WeaksegError: the folder is not laid out so, or an image has a tag that classes.txt
            does not list.
    """
    root, given = split_options("voc", str(options), ("lists=FILE", "NAME=FILE", "labels=cls_labels.npy"))
    images = _index(_folder(root, IMAGES), IMAGE_SUFFIXES)
    masks = next((_index(root / name, MASK_SUFFIXES) for name in MASKS if (root / name).is_dir()), {})
    files, labels = _split_files(root, given)
    lists = [_read_list(name, file, images, root / IMAGES) for name, file in files.items()]
    ids = list(dict.fromkeys(name for each in lists for name in each.ids))
    listed = root / "classes.txt"
    known = _listed_classes(listed, masks) if listed.is_file() else None
    classes = known.classes if known else None
    if labels is not None:
        found = labelled_tags(labels, ids, classes)
    else:
        found = find_tags(root, ids, masks, classes, possible_names(listed))
    samples = {
        name: Sample(name, images[name], found.images[name].tags, masks.get(name))
        for name in ids
        if name in found.images
    }
    missing = {name: problem for each in reversed(lists) for name, problem in each.missing.items()}
    splits = {each.name: [samples[name] for name in each.ids if name in samples] for each in lists}
    return assemble(
        Listing(
            f"voc:{options}",
            root,
            splits,
            listed,
            known,
            voc_values=True,
            places={name: tagging.where for name, tagging in found.images.items()},
            problems=[*missing.values(), *found.problems],
            warnings=[warning for each in lists for warning in each.warnings] + found.warnings,
            empty={each.name: _why_empty(each, found) for each in lists if not splits[each.name]},
            names=[tag for tagging in found.images.values() for tag in tagging.tags],
        )
    )


def _folder(root: Path, name: str) -> Path:
    """A folder that must be there. Raises WeaksegError, pointing at the VOC folder if it is further down."""
    if (root / name).is_dir():
        return root / name
    inner = sorted(found.parent for depth in ("*", "*/*") for found in root.glob(f"{depth}/{IMAGES}"))
    hint = f"did you mean voc:{inner[0]}?" if inner else f"voc:PATH wants {IMAGES} and {LISTS} in PATH"
    raise WeaksegError(f"{root / name}: no such folder; {hint}")


def _index(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files by name without suffix; where two share it, the earlier suffix counts."""
    found: dict[str, tuple[int, Path]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix.lower() in suffixes and not stem.startswith("."):
                rank = suffixes.index(suffix.lower())
                found[stem] = min(found.get(stem, (rank, Path(entry.path))), (rank, Path(entry.path)))
    return {stem: path for stem, (_, path) in found.items()}


def _split_files(root: Path, given: Sequence[tuple[str, str]]) -> tuple[dict[str, Path], Path | None]:
    """The file of each split, and that of the labels where one is named."""
    files: dict[str, Path] = {}
    labels: Path | None = None
    for name, value in given:
        path = _named(root, name, value)
        if name == "labels":
            labels = path
        elif name != "lists":
            files[name] = path
        else:
            files |= {file.stem: file for file in (_texts(path) if path.is_dir() else [path])}
            if not files:
                raise WeaksegError(f"{path}: no list; lists=FOLDER must hold train.txt and such, an id a line")
    if not files:
        files = {file.stem: file for file in _texts(_folder(root, LISTS))}
    if not files:
        raise WeaksegError(f"{root / LISTS}: no split; write the ids of the images to train.txt, one a line")
    return files, labels


def _named(root: Path, option: str, value: str) -> Path:
    """A file as it is written, or in the folder of the data set. Raises WeaksegError where it is in neither."""
    given = Path(value).expanduser()
    found = next((path for path in (given, root / given) if path.exists()), None)
    if found is None:
        raise WeaksegError(f"{given}: no such file, as it is written or in {root} ({option}={value})")
    return found


def _texts(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.txt") if not file.name.startswith("."))


def _read_list(name: str, path: Path, images: Container[str], folder: Path) -> _List:
    """Read a split file; lines whose image is missing are told by name."""
    ids: dict[str, None] = {}
    missing: dict[str, str] = {}
    lines = repeats = 0
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        lines += 1
        listed = _listed_id(text, images)
        if listed not in images:
            missing[listed] = f"{folder / listed}: no such image ({path.name} line {number})"
        elif listed in ids:
            repeats += 1
        else:
            ids[listed] = None
    warnings = [f"{path}: {repeats} lines repeat an image, each is used once"] if repeats else []
    return _List(name, path, list(ids), lines, missing, warnings)


def _listed_id(text: str, images: Container[str]) -> str:
    """The id on a line of a split file: bare, or the first of two paths."""
    if text in images:
        return text
    first, *rest = text.split()
    two_columns = len(rest) == 1 and image_id(first) == image_id(rest[0])
    return image_id(first) if two_columns or not rest else text


def _listed_classes(path: Path, masks: Mapping[str, Path]) -> ClassList:
    """The classes of classes.txt; where it gives no values, VOC's for VOC's names unless the masks hold 1..n."""
    voc, plain = read_classes(path, voc_values=True), read_classes(path)
    if voc.classes.values == plain.classes.values:
        return plain
    samples = [Sample(name, mask, (), mask) for name, mask in masks.items()]
    return voc if fits_voc(plain.classes.names, samples, usual=True) else plain


def _why_empty(each: _List, found: FoundTags) -> str:
    if not each.lines:
        return f"{each.path} lists no image"
    if not each.ids:
        return f"none of the {each.lines} images of {each.path} is in {IMAGES}; first: {next(iter(each.missing))}"
    return f"none of the images of {each.path} has tags; {found.problems[0]}"
