"""Tags of photos that have masks and nothing else: the classes that the masks hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from weakseg.data.labels import ClassList
from weakseg.data.sample import BACKGROUND, IGNORE, Classes, Sample, Source
from weakseg.data.sources.assemble import Listing, assemble
from weakseg.errors import WeaksegError

_BATCH = 256


def mask_values(samples: Sequence[Sample]) -> Iterator[list[int] | str]:
    """Per sample with a mask, the values of classes in it; or what is wrong with it, in words."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(samples), _BATCH):
            yield from pool.map(_values, samples[start : start + _BATCH])


def tagged_by_masks(
    samples: Sequence[Sample], classes: Classes, reason: str
) -> tuple[list[Sample], list[str], list[str]]:
    """Give samples the tags that their masks hold; those without a readable mask are left out.

    Args:
        samples: some with masks.
        classes: whose values the masks hold; other values are no tag.
        reason: why the masks are asked, for the line that says so.

    Returns:
        the samples, one line per sample left out, and the line that says where the tags are from; none without any.
    """
    names = dict(zip(classes.values, classes.names, strict=True))
    problems = [f"{sample.image}: no mask, and no tags without one; left out" for sample in samples if not sample.mask]
    masked = [sample for sample in samples if sample.mask is not None]
    tagged: list[Sample] = []
    for sample, values in zip(masked, mask_values(masked), strict=True):
        if isinstance(values, str):
            problems.append(f"{values}; its image is left out, as it has no other tags")
        else:
            tagged.append(replace(sample, tags=tuple(names[value] for value in values if value in names)))
    if not tagged:
        return [], problems, []
    return tagged, problems, [f"the tags of {len(tagged)} images are read from their masks: {reason}"]


def source_of_masks(
    spec: str,
    root: Path,
    listed: Mapping[str, Sequence[Sample]],
    known: tuple[Classes, tuple[tuple[int, int], ...]],
    *,
    title: str,
    problems: Sequence[str] = (),
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> Source:
    """Make a source of a data set whose photos have masks, no tags, and classes that are known beforehand.

    Args:
        spec: the string that opens it.
        root: its folder.
        listed: samples per split, some with masks; those without are left out.
        known: the classes, and how mask values become theirs.
        title: what the line about tags calls the data set.
        problems: one line per file that was left out already.
        before: warnings that come before the line about tags.
        after: warnings that come after it.

    Raises:
        WeaksegError: no image has a tag.
    """
    classes, recode = known
    splits: dict[str, list[Sample]] = {}
    faults = list(problems)
    for split, samples in listed.items():
        splits[split], more, _ = tagged_by_masks(samples, classes, "")
        faults += more
    count = sum(map(len, splits.values()))
    line = f"the tags of {count} images are read from their masks: {title} has no others"
    listing = Listing(
        spec,
        root,
        splits,
        root / "classes.txt",
        ClassList(classes, root / "classes.txt", recode),
        problems=faults,
        warnings=[*before, line, *after],
        empty={split: faults[0] for split, samples in splits.items() if not samples and faults},
    )
    return replace(assemble(listing), classes_file=None)


def _values(sample: Sample) -> list[int] | str:
    try:
        counts = np.bincount(sample.read_mask().ravel(), minlength=256)
    except WeaksegError as error:
        return str(error)
    return [int(value) for value in np.flatnonzero(counts) if value not in (BACKGROUND, IGNORE)]
