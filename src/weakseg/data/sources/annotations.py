"""Files of annotation tools as data sources: which images they name, where these are, and with what tags."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.labels import read_classes
from weakseg.data.paths import unique_ids
from weakseg.data.sample import Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.data.sources.options import split_options
from weakseg.errors import WeaksegError

SPLIT = "train"
_SHOWN = 3


@dataclass(frozen=True)
class Tagged:
    """An image that a file names.

    Attributes:
        names: paths that it may have below the folder of the images, the likeliest first.
        tags: as written.
    """

    names: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Annotations:
    """What a file says.

    Attributes:
        images: in its order.
        names: of all classes, also of those that no image has.
        problems: one line per thing that was left out.
        warnings: one line per thing that the user should know.
    """

    images: Sequence[Tagged]
    names: Sequence[str] = ()
    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()


def open_annotations(kind: str, options: str, read: Callable[[Path], Annotations]) -> Source:
    """Open "FILE" or "FILE,val=OTHER,images=FOLDER".

    The images of FILE are the split "train"; further files are splits of the name before the "=". Images are looked
    for in FOLDER, or else beside the file and in the folders around it. A sample's id is its path there without suffix.
    A ``classes.txt`` beside the file gives classes and mask values.

    Args:
        kind: the word before the colon.
        options: what stands behind it.
        read: reads a file.

    Raises:
        WeaksegError: no such file or folder, or what ``read`` raises.
    """
    files, folder = _files(kind, options)
    first = files[SPLIT]
    splits: dict[str, list[Sample]] = {}
    problems: list[str] = []
    warnings: list[str] = []
    names: list[str] = []
    for split, path in files.items():
        found = read(path)
        splits[split], missing = _samples(path, found.images, folder)
        problems += [*found.problems, *missing]
        warnings += found.warnings
        names += found.names
    listed = first.with_name("classes.txt")
    known = read_classes(listed, tags=set(names)) if listed.is_file() else None
    empty = {split: problems[0] if problems else "it lists no image" for split, found in splits.items() if not found}
    return assemble(
        Listing(
            f"{kind}:{options}",
            first,
            splits,
            listed,
            known,
            problems=problems,
            warnings=warnings,
            empty=empty,
            names=[] if known else names,
        )
    )


def _files(kind: str, options: str) -> tuple[dict[str, Path], Path | None]:
    """The file of each split, and the folder of the images where one is named."""
    suffix = Path(options.partition(",")[0]).suffix
    file, rest = split_options(kind, options, ("images=FOLDER", f"val=FILE{suffix}"))
    files, folder = {SPLIT: file}, None
    for name, value in rest:
        if name == "images":
            folder = Path(value).expanduser()
        else:
            files[name] = Path(value).expanduser()
    if folder is not None and not folder.is_dir():
        raise WeaksegError(f"{folder}: no such folder; images=FOLDER must hold the images of {file}")
    return files, folder


def _samples(path: Path, images: Sequence[Tagged], folder: Path | None) -> tuple[list[Sample], list[str]]:
    """The samples of a file, and a line that names images that are not there."""
    root = folder or _images_folder(path, images)
    places = [next((name for name in image.names if os.path.isfile(root / name)), None) for image in images]
    ids = unique_ids(Path(place or image.names[0]) for image, place in zip(images, places, strict=True))
    samples = [
        Sample(sample_id, root / place, image.tags)
        for image, place, sample_id in zip(images, places, ids, strict=True)
        if place is not None
    ]
    missing = [image.names[0] for image, place in zip(images, places, strict=True) if place is None]
    if not missing:
        return samples, []
    shown = ", ".join(missing[:_SHOWN])
    return samples, [f"{root}: {len(missing)} images of {path.name} are not there ({shown}); try images=FOLDER"]


def _images_folder(path: Path, images: Iterable[Tagged]) -> Path:
    """The folder around a file that holds most of the named images; the nearest of several."""
    parent = path.resolve().parent
    around = [parent, parent.parent]
    around += [entry for folder in (parent, parent.parent) for entry in sorted(folder.iterdir()) if entry.is_dir()]
    some = list(images)[:64]
    return max(around, key=lambda folder: sum(any(os.path.isfile(folder / n) for n in image.names) for image in some))
