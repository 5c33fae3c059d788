"""Whether ground truth can score anything: the values that its masks hold, beside those of the classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from weakseg.data.sample import BACKGROUND, IGNORE, Classes, Sample
from weakseg.errors import WeaksegError

Progress = Callable[[int], object]
_NAMED = 3  # values or classes that a line names
_BATCH = 256


@dataclass
class Held:
    """Where a value is: pixels, masks, and the first of them."""

    pixels: int = 0
    masks: int = 0
    first: str = ""

    def add(self, pixels: int, where: str) -> None:
        """Count the pixels of one mask."""
        self.pixels += pixels
        self.masks += 1
        self.first = self.first or where


@dataclass(frozen=True)
class Truth:
    """What a set of masks holds.

    Attributes:
        masks: how many were read; broken ones are left out.
        pixels: of all of them.
        values: per mask value, where it is.
        untagged: per class, where it is in masks of photos that do not have its tag.
        tagged: per class, how many photos with a mask have its tag.
    """

    masks: int = 0
    pixels: int = 0
    values: dict[int, Held] = field(default_factory=dict)
    untagged: dict[str, Held] = field(default_factory=dict)
    tagged: dict[str, int] = field(default_factory=dict)


def survey(samples: Sequence[Sample], classes: Classes, *, progress: Progress | None = None) -> Truth:
    """Read the mask files of samples and count their values. Composed masks are sound and not made.

    Args:
        samples: some of them with masks.
        classes: names and values.
        progress: called with the number of masks just read.
    """
    masked = [sample for sample in samples if isinstance(sample.mask, Path)]
    names = dict(zip(classes.values, classes.names, strict=True))
    values: dict[int, Held] = {}
    untagged: dict[str, Held] = {}
    tagged: Counter[str] = Counter()
    masks = pixels = 0
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(masked), _BATCH):
            batch = masked[start : start + _BATCH]
            for sample, counts in zip(batch, pool.map(_counts, batch), strict=True):
                if counts is None:
                    continue
                masks, pixels = masks + 1, pixels + sum(counts.values())
                tagged.update(sample.tags)
                for value, count in counts.items():
                    values.setdefault(value, Held()).add(count, str(sample.mask))
                    if value in names and names[value] not in sample.tags:
                        untagged.setdefault(names[value], Held()).add(count, str(sample.mask))
            if progress:
                progress(len(batch))
    return Truth(masks, pixels, values, untagged, dict(tagged))


def check_truth(truth: Truth, classes: Classes, classes_file: Path | None) -> list[str]:
    """Refuse ground truth whose values cannot be those of the classes, and name what else does not fit.

    Args:
        truth: what the masks hold.
        classes: names and values.
        classes_file: where the values can be written.

    Returns:
        A line for values of no class, one for classes on photos without their tag, one for classes in no mask.

    Raises:
        WeaksegError: no mask holds a pixel of any tagged class; or a tagged class is in no mask while a value of no
            class is in some.
    """
    known = {BACKGROUND, IGNORE, *classes.values}
    strange = {value: held for value, held in sorted(truth.values.items()) if value not in known}
    values = dict(zip(classes.names, classes.values, strict=True))
    missing = [name for name in classes.names if truth.tagged.get(name) and values[name] not in truth.values]
    nothing = bool(truth.tagged) and not any(value in truth.values for value in classes.values)
    if missing and (strange or nothing):
        raise WeaksegError(_refusal(truth, missing, values, strange, classes_file))
    lines = []
    if strange:
        total = sum(held.pixels for held in strange.values())
        shown = ", ".join(map(str, list(strange)[:_NAMED])) + (", ..." if len(strange) > _NAMED else "")
        first = min(strange.values(), key=lambda held: -held.pixels)
        lines.append(
            f"masks hold {len(strange)} values of no class ({shown}), {_share(total, truth)}, as in {first.first}; "
            f"those pixels are not scored; {_write_values(classes_file)}"
        )
    if truth.untagged:
        ranked = sorted(truth.untagged, key=lambda name: -truth.untagged[name].pixels)
        shown = ", ".join(_where(name, values[name], truth.untagged[name], truth) for name in ranked[:_NAMED])
        lines.append(f"masks hold classes that their photos are not tagged with: {shown}; smoothed borders do so")
    if missing:
        shown = ", ".join(f"{name} (value {values[name]}, {truth.tagged[name]} photos)" for name in missing)
        lines.append(f"no mask holds a pixel of a class that photos are tagged with: {shown}")
    return lines


def _counts(sample: Sample) -> dict[int, int] | None:
    try:
        counts = np.bincount(sample.read_mask().ravel(), minlength=256)
    except WeaksegError:  # said where the files are checked
        return None
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def _refusal(
    truth: Truth, missing: list[str], values: dict[str, int], strange: dict[int, Held], classes_file: Path | None
) -> str:
    names = ", ".join(f"{name!r} (value {values[name]})" for name in missing[:_NAMED])
    start = f"{truth.masks} masks: none holds a pixel of {names}, which {_photos(truth, missing)} tagged with"
    if strange:
        value, held = max(strange.items(), key=lambda item: item[1].pixels)
        return (
            f"{start}, but value {value} of no class is in {held.masks} ({_share(held.pixels, truth)}, "
            f"first: {held.first}); {_write_values(classes_file, f'{missing[0]} {value}')}"
        )
    ignored = truth.values.get(IGNORE)
    if ignored is None:
        return f"{start}, nor of any other class; leave masks without objects out, as they can score nothing"
    way = f"as the line {missing[0]} {IGNORE}" if len(values) == 1 else "and save the masks with the classes' values"
    return (
        f"{start}, but value {IGNORE}, which means ignore, is in {ignored.masks} "
        f"({_share(ignored.pixels, truth)}, first: {ignored.first}); if it is the object, say so in "
        f"{classes_file or 'classes.txt'}, {way}"
    )


def _photos(truth: Truth, missing: list[str]) -> str:
    count = max(truth.tagged[name] for name in missing)
    return f"{count} photos are" if count > 1 else "1 photo is"


def _share(pixels: int, truth: Truth) -> str:
    return f"{100 * pixels / max(truth.pixels, 1):.2g} % of the pixels"


def _where(name: str, value: int, held: Held, truth: Truth) -> str:
    return f"{name} (value {value}) in {held.masks} masks, {_share(held.pixels, truth)}, first: {held.first}"


def _write_values(classes_file: Path | None, example: str = "") -> str:
    line = f", such as the line {example}" if example else ""
    return f"write each class with its value to {classes_file or 'classes.txt'}{line}"
