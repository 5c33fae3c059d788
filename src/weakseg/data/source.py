"""Open a data source by one string, check its files, and sum it up."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.images import size_text
from weakseg.data.looks import look_over
from weakseg.data.paths import list_images, read_text
from weakseg.data.sample import ImageSet, Sample, Source
from weakseg.data.sources.tags import tag_warnings
from weakseg.errors import WeaksegError, one_of
from weakseg.registry import Registry

__all__ = ["SOURCES", "Source", "Summary", "inspect", "open_source", "summary", "training_warnings"]

Progress = Callable[[int], object]
_BATCH = 256


SOURCES: Registry[Callable[[str], Source]] = Registry(
    "data source",
    "weakseg.sources",
    {
        "voc": "weakseg.data.sources.voc:open_voc",
        "csv": "weakseg.data.sources.csvfile:open_csv",
        "coco": "weakseg.data.sources.coco.file:open_coco",
        "labelstudio": "weakseg.data.sources.labelstudio:open_labelstudio",
        "cvat": "weakseg.data.sources.cvat:open_cvat",
        "camvid": "weakseg.data.sources.camvid:open_camvid",
        "cityscapes": "weakseg.data.sources.cityscapes:open_cityscapes",
        "folders": "weakseg.data.sources.folders:open_folders",
        "scenes": "weakseg.scenes.source:open_scenes",
    },
)
"""Kinds of data sources: each opens what stands behind the colon."""
_FORMS = (
    "voc:PATH",
    "csv:PATH.csv",
    "coco:PATH",
    "labelstudio:PATH.json",
    "cvat:PATH.xml",
    "camvid:PATH",
    "cityscapes:PATH",
    "folders:PATH",
    "scenes",
    "scenes:N,seed=S",
)
_BY_LAYOUT = {
    "voc": ("JPEGImages",),
    "coco": tuple(f"annotations/instances_{split}.json" for split in ("train2014", "train2017", "val2014", "val2017")),
    "cityscapes": ("leftImg8bit",),
    "camvid": ("701_StillsRaw_full", "trainannot"),
}
"""What in a folder tells whose data set it is."""
_BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "coco", ".xml": "cvat"}


def open_source(spec: str) -> Source:
    """Open a data source: a string of ``_FORMS``, or a path without the word before the colon.

    A path is understood by its suffix (.csv, .tsv, .txt, .xml), JSON by what it says, or, for a folder, by what is in
    it: what a known data set is told by, one table, or folders of images. Files are listed, not decoded (``inspect``
    does that), but for the range of photos of more than 8 bits.

    Raises:
        WeaksegError: no such kind of source, or what stands there is not of that kind.
    """
    scheme, _, rest = spec.partition(":")
    known = SOURCES.names()
    if scheme not in known and spec:
        spec = _understood(spec)
        scheme, _, rest = spec.partition(":")
    added = [f"{name}:..." for name in known if not any(form.startswith(name) for form in _FORMS)]
    if scheme not in known or not (rest or scheme == "scenes"):
        raise one_of("data source", spec, (*_FORMS, *added))
    return look_over(SOURCES.get(scheme)(rest))


def _understood(text: str) -> str:
    """A path with the word that its suffix or layout calls for. Raises WeaksegError where there is none."""
    path = Path(text).expanduser()
    if path.is_file() and path.suffix.lower() == ".json":
        return f"{_kind_of_json(path)}:{text}"
    if path.is_file() and path.suffix.lower() in _BY_SUFFIX:
        return f"{_BY_SUFFIX[path.suffix.lower()]}:{text}"
    if path.is_dir():
        tables = [file for file in sorted(path.iterdir()) if file.suffix.lower() in (".csv", ".tsv")]
        kind = next((kind for kind, names in _BY_LAYOUT.items() if any((path / name).exists() for name in names)), None)
        if kind is not None:
            return f"{kind}:{text}"
        if len(tables) == 1:
            return f"csv:{tables[0]}"
        if any(list_images(folder) for folder in path.iterdir() if folder.is_dir()):
            return f"folders:{text}"
        found = f"; it holds {len(tables)} tables, name one" if tables else ""
        raise WeaksegError(f"{text}: no data set in this folder{found}; available: {', '.join(_FORMS)}")
    if path.exists():
        raise WeaksegError(f"{text}: no data source by its suffix; available: {', '.join(_FORMS)}")
    if os.sep in text or path.suffix:
        raise WeaksegError(f"{text}: no such file or folder; available data sources: {', '.join(_FORMS)}")
    return text


def _kind_of_json(path: Path) -> str:
    """Whose JSON it is: Label Studio's is a list, Datumaro's has items where COCO's has images."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        return "labelstudio"
    return "cvat" if '"items"' in text and '"images"' not in text else "coco"


def inspect(
    samples: Sequence[Sample], *, masks: bool = False, progress: Progress | None = None
) -> tuple[Sequence[Sample], list[str]]:
    """Decode the files of samples, on several threads, and sort out the broken ones.

    Composed pictures (whose image is a function) cannot be broken and are not made.

    Args:
        samples: what to check.
        masks: check the masks too: readable, and of their image's size.
        progress: called with the number of samples just done.

    Returns:
        The sound samples (``samples`` itself if all are), and one line per broken one.
    """
    good: list[Sample] = []
    problems: list[str] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for batch in _batches(samples):
            faults = pool.map(lambda sample: _fault(sample, masks), batch)
            for sample, fault in zip(batch, faults, strict=True):
                problems.append(fault) if fault else good.append(sample)
            if progress:
                progress(len(batch))
    return good if problems else samples, problems


@dataclass(frozen=True)
class Summary:
    """What a source holds.

    Attributes:
        images: number of different images.
        split_images: number of images per split.
        split_tags: per split, number of images per class.
        split_masks: per split, number of images with a mask.
        mean_tags: per split, mean number of tags of an image; 0 for an empty split.
        problems: one line per missing or broken file.
        warnings: one line per thing that the user should know.
    """

    images: int
    split_images: dict[str, int]
    split_tags: dict[str, dict[str, int]]
    split_masks: dict[str, int]
    mean_tags: dict[str, float]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def summary(source: Source, *, decode: bool = True, progress: Progress | None = None) -> Summary:
    """Count images and tags and name the broken files; composed pictures are not made.

    Args:
        source: the source.
        decode: decode every image and mask, each once.
        progress: called with the number of samples just done; they add up to those of all splits.
    """
    split_tags: dict[str, dict[str, int]] = {}
    split_masks: dict[str, int] = {}
    mean_tags: dict[str, float] = {}
    problems = list(source.problems)
    seen: set[str] = set()
    for split, samples in source.splits.items():
        counts: Counter[str] = Counter()
        fresh: list[Sample] = []
        split_masks[split] = 0
        for sample in samples:
            counts.update(sample.tags)
            split_masks[split] += sample.mask is not None
            if decode and isinstance(sample.image, Path) and sample.id not in seen:
                fresh.append(sample)
            seen.add(sample.id)
        split_tags[split] = {name: counts[name] for name in source.classes.names}
        mean_tags[split] = counts.total() / max(len(samples), 1)
        if progress:
            progress(len(samples) - len(fresh))
        problems += inspect(fresh, masks=True, progress=progress)[1]
    sizes = {split: len(samples) for split, samples in source.splits.items()}
    return Summary(len(seen), sizes, split_tags, split_masks, mean_tags, tuple(problems), source.warnings)


def training_warnings(source: Source, split: str) -> list[str]:
    """What looks like a slip in the tags of a split; none where the source has no such split, or composes it."""
    samples = source.splits.get(split, ())
    if not isinstance(samples, list) or not samples:
        return []
    named = source.classes_file is not None and source.classes_file.is_file()
    return tag_warnings(ImageSet(source.classes, samples), named=named)


def _batches(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    for start in range(0, len(samples), _BATCH):
        yield [samples[index] for index in range(start, min(start + _BATCH, len(samples)))]


def _fault(sample: Sample, masks: bool) -> str | None:
    """What is wrong with the files of a sample, or None."""
    if not isinstance(sample.image, Path):
        return None
    try:
        image = sample.read_image()
        if masks and sample.mask is not None:
            mask = sample.read_mask()
            if mask.shape != image.shape[:2]:
                return f"{sample.mask}: {size_text(mask)}, but {sample.image} is {size_text(image)}"
    except WeaksegError as error:
        return str(error)
    return None
