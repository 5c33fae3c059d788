"""Where the tags of a VOC folder come from: cls_labels.npy, tags.csv, Annotations, or the masks."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from weakseg.data.labels import VOC_NAMES
from weakseg.data.paths import IMAGE_SUFFIXES
from weakseg.data.sample import Classes, Sample
from weakseg.data.sources.labeltable import read_label_table
from weakseg.data.sources.masktags import mask_values
from weakseg.data.sources.table import read_tag_table
from weakseg.errors import WeaksegError


@dataclass(frozen=True)
class Tagging:
    """The tags of one image and where they stand (file, line and image, for errors)."""

    tags: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class FoundTags:
    """Tags of a set of images.

    Attributes:
        images: per id; may hold ids that were not asked for.
        problems: one line per id asked for that has none, and per faulty row.
        warnings: one line per thing that the user should know.
    """

    images: Mapping[str, Tagging]
    problems: list[str]
    warnings: list[str]


def find_tags(
    root: Path, ids: Sequence[str], masks: Mapping[str, Path], known: Classes | None, names: Collection[str] = ()
) -> FoundTags:
    """Tags of images from tags.csv, else Annotations/ID.xml, else the masks.

    The first of the three that exists counts. Images that it does not cover are tagged from
    their masks, with a warning; those without a mask are problems.

    Args:
        root: the VOC folder.
        ids: of the images.
        masks: mask file per id.
        known: the classes of classes.txt; without it, VOC's twenty name the mask values.
        names: class names that may hold spaces.

    Raises:
        WeaksegError: tags.csv is no table, or a mask holds a value that has no name.
    """
    table, annotations = root / "tags.csv", root / "Annotations"
    if table.is_file():
        images, problems, warnings = _from_table(table, names)
        uncovered, lack = [name for name in ids if name not in images], f"no row in {table}"
    elif annotations.is_dir():
        images, problems, uncovered = _from_annotations(annotations, ids)
        warnings, lack = [], f"no file in {annotations}"
    else:
        images, problems, warnings, uncovered = {}, [], [], list(ids)
        lack = f"neither {table} nor {annotations} exists"
    masked = [name for name in uncovered if name in masks]
    if masked:
        warnings.append(f"the tags of {len(masked)} images are read from their masks: {lack} (first: {masked[0]})")
        more, faults = _from_masks({name: masks[name] for name in masked}, known)
        images.update(more)
        problems += faults
    problems += [f"{name}: no tags: {lack}" for name in uncovered if name not in masks]
    return FoundTags(images, problems, warnings)


def labelled_tags(path: Path, ids: Sequence[str], known: Classes | None) -> FoundTags:
    """Tags of images from cls_labels.npy alone.

    Args:
        path: the file.
        ids: of the images.
        known: the classes of classes.txt, in the order of the vectors; without it, VOC's twenty.

    Raises:
        WeaksegError: see `weakseg.data.sources.labeltable.read_label_table`.
    """
    table = read_label_table(path, known.names if known else VOC_NAMES)
    images = {name: Tagging(tags, f"{path}: {name}") for name, tags in table.items()}
    return FoundTags(images, [f"{name}: no tags: not in {path}" for name in ids if name not in images], [])


def _from_table(path: Path, names: Collection[str]) -> tuple[dict[str, Tagging], list[str], list[str]]:
    """Rows of tags.csv by image id, faulty rows, and a warning if rows repeat an image."""
    table = read_tag_table(path, names)
    images: dict[str, Tagging] = {}
    repeats = 0
    for row in table.rows:
        name, tags = image_id(row.image), row.tags
        if name in images:
            repeats += 1
            tags = tuple(dict.fromkeys(images[name].tags + tags))
        images[name] = Tagging(tags, f"{path} line {row.line}: {row.image}")
    warnings = [f"{path}: {repeats} rows repeat an image, tags united"] if repeats else []
    return images, table.problems, [*table.warnings, *warnings]


def image_id(text: str) -> str:
    """The id that "2007_000032", "2007_000032.jpg" or "/JPEGImages/2007_000032.jpg" names."""
    path = PurePosixPath(text.replace("\\", "/"))
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _from_annotations(folder: Path, ids: Sequence[str]) -> tuple[dict[str, Tagging], list[str], list[str]]:
    """Object names of Annotations/ID.xml, a line per broken file, and the ids without a file."""
    images: dict[str, Tagging] = {}
    problems: list[str] = []
    missing: list[str] = []
    for name in ids:
        path = folder / f"{name}.xml"
        if not os.path.isfile(path):
            missing.append(name)
            continue
        try:
            images[name] = Tagging(_object_names(path), str(path))
        except (ElementTree.ParseError, OSError, ValueError) as error:
            problems.append(f"{path}: broken annotation ({error}); its image is left out")
    return images, problems, missing


class _PlainXml(ElementTree.TreeBuilder):
    """Builds trees of documents without a DOCTYPE, and so without entities that grow or reach out."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a DOCTYPE is not allowed")


def plain_xml(text: str) -> ElementTree.Element:
    """The root of an XML document without a DOCTYPE. Raises ParseError or ValueError for anything else."""
    parser = ElementTree.XMLParser(target=_PlainXml())
    parser.feed(text)
    root: ElementTree.Element = parser.close()
    return root


def _object_names(path: Path) -> tuple[str, ...]:
    """Names of the objects of a VOC annotation, each once; names of their parts do not count."""
    tree = ElementTree.parse(path, parser=ElementTree.XMLParser(target=_PlainXml()))
    names = (node.findtext("name", "").strip() for node in tree.iterfind("object"))
    return tuple(dict.fromkeys(name for name in names if name))


def _from_masks(masks: Mapping[str, Path], known: Classes | None) -> tuple[dict[str, Tagging], list[str]]:
    """Classes whose values occur in the masks, and a line per unreadable mask."""
    names = dict(zip(known.values, known.names, strict=True)) if known else dict(enumerate(VOC_NAMES, start=1))
    images: dict[str, Tagging] = {}
    problems: list[str] = []
    samples = [Sample(name, path, (), path) for name, path in masks.items()]
    for (name, path), values in zip(masks.items(), mask_values(samples), strict=True):
        if isinstance(values, str):
            problems.append(f"{values}; its image is left out, as it has no other tags")
            continue
        unnamed = [value for value in values if value not in names]
        if unnamed and not known:
            raise WeaksegError(f"{path}: mask value {unnamed[0]} is not of VOC; name the classes in a classes.txt")
        images[name] = Tagging(tuple(names[value] for value in values if value in names), str(path))
    return images, problems
