"""Tags of photos that have masks and nothing else: the classes that the masks hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from weakseg.data.sample import BACKGROUND, IGNORE, Classes, Sample
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


def _values(sample: Sample) -> list[int] | str:
    try:
        counts = np.bincount(sample.read_mask().ravel(), minlength=256)
    except WeaksegError as error:
        return str(error)
    return [int(value) for value in np.flatnonzero(counts) if value not in (BACKGROUND, IGNORE)]
