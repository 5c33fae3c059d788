"""Open a data source by one string, check its files, and sum it up."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from weakseg.data.csvfile import open_csv
from weakseg.data.folders import open_folders
from weakseg.data.images import size_text
from weakseg.data.sample import Sample, Source
from weakseg.data.voc import open_voc
from weakseg.errors import WeaksegError, one_of

__all__ = ["OPENERS", "Source", "Summary", "inspect", "open_source", "summary"]

Progress = Callable[[int], object]
_BATCH = 256


def _open_scenes(options: str) -> Source:
    # Here, not above: the built-in data draws pictures, which other sources need not load.
    from weakseg.data.scenes import open_scenes

    return open_scenes(options)


OPENERS: dict[str, Callable[[str], Source]] = {
    "voc": open_voc,
    "csv": open_csv,
    "folders": open_folders,
    "scenes": _open_scenes,
}
_FORMS = ("voc:PATH", "csv:PATH.csv", "folders:PATH", "scenes", "scenes:N,seed=S")


def open_source(spec: str) -> Source:
    """Open a data source: "voc:PATH", "csv:PATH.csv", "folders:PATH", "scenes" or "scenes:N,seed=S".

    Files are listed, not decoded: see ``inspect``.

    Raises:
        WeaksegError: no such kind of source, or what stands there is not of that kind.
    """
    scheme, _, rest = spec.partition(":")
    if scheme not in OPENERS or not (rest or scheme == "scenes"):
        raise one_of("data source", spec, _FORMS)
    return OPENERS[scheme](rest)


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
        mean_tags: per split, mean number of tags of an image; 0 for an empty split.
        problems: one line per missing or broken file.
        warnings: one line per thing that the user should know.
    """

    images: int
    split_images: dict[str, int]
    split_tags: dict[str, dict[str, int]]
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
    mean_tags: dict[str, float] = {}
    problems = list(source.problems)
    seen: set[str] = set()
    for split, samples in source.splits.items():
        counts: Counter[str] = Counter()
        fresh: list[Sample] = []
        for sample in samples:
            counts.update(sample.tags)
            if decode and isinstance(sample.image, Path) and sample.id not in seen:
                fresh.append(sample)
            seen.add(sample.id)
        split_tags[split] = {name: counts[name] for name in source.classes.names}
        mean_tags[split] = counts.total() / max(len(samples), 1)
        if progress:
            progress(len(samples) - len(fresh))
        problems += inspect(fresh, masks=True, progress=progress)[1]
    sizes = {split: len(samples) for split, samples in source.splits.items()}
    return Summary(len(seen), sizes, split_tags, mean_tags, tuple(problems), source.warnings)


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
