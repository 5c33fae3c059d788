"""From what a source lists to a Source: one spelling per class, one sample per picture, values for the classes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from weakseg.data.images import IGNORE
from weakseg.data.labels import (
    VOC_NAMES,
    ClassList,
    check_tags,
    classes_of_tags,
    guessed_values,
    is_voc,
)
from weakseg.data.sample import BACKGROUND, Classes, Sample, Source
from weakseg.data.sources.tags import unite_names
from weakseg.errors import WeaksegError

_PEEKED = 48  # masks that are opened to tell VOC's values from 1..n


@dataclass(frozen=True)
class Listing:
    """What stands in a source, as it is written there.

    Attributes:
        spec: the string that opens it.
        where: the file or folder that errors name.
        splits: samples per split, with tags as written.
        classes_file: the classes.txt that it has or could have.
        known: the classes of that file; None without it.
        voc_values: whether classes that are all of VOC have VOC's mask values where the masks do not tell.
        places: per sample id, where its tags stand.
        problems: one line per file that is missing or broken and so left out.
        warnings: one line per thing that the user should know.
        empty: for splits without samples, why.
    """

    spec: str
    where: Path
    splits: Mapping[str, Sequence[Sample]]
    classes_file: Path
    known: ClassList | None = None
    voc_values: bool = False
    places: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()
    empty: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()


def assemble(listing: Listing) -> Source:
    """Make a source of what is listed.

    Names that differ in case or blanks become one class; a picture that is listed several times in a split under one
    file name, byte for byte the same, becomes one sample with all its tags.

    Raises:
        WeaksegError: no image has a tag, or an image has one that classes.txt lacks.
    """
    known = listing.known
    samples = [sample for split in listing.splits.values() for sample in split]
    written = [*listing.names, *(tag for sample in samples for tag in sample.tags)]
    spelling, united = unite_names(written, known.classes.names if known else ())
    if known:
        for sample in samples:
            tags = [spelling[tag] for tag in sample.tags]
            check_tags(tags, known.classes, listing.places.get(sample.id, sample.id), listing.classes_file)
    elif not written:
        reason = f"; the first of {len(listing.problems)} problems: {listing.problems[0]}" if listing.problems else ""
        raise WeaksegError(f"{listing.where}: no image has a tag{reason}")
    recode = known.recode if known else ()
    splits = {
        split: [
            replace(sample, tags=tuple(dict.fromkeys(spelling[tag] for tag in sample.tags)), recode=recode)
            for sample in found
        ]
        for split, found in listing.splits.items()
    }
    splits, repeated = unite_pictures(splits)
    classes, guessed = _classes(listing, set(spelling.values()), splits)
    return Source(
        listing.spec,
        classes,
        splits,
        tuple(listing.problems),
        (*listing.warnings, *united, *repeated, *guessed),
        listing.empty,
        listing.classes_file,
    )


def unite_pictures(splits: Mapping[str, Sequence[Sample]]) -> tuple[dict[str, list[Sample]], list[str]]:
    """One sample for pictures of one file name and the same bytes: the first one's, with the tags of all.

    Args:
        splits: samples per split; a picture in two splits stays in both, which is said.

    Returns:
        The samples, and one line per kind of repetition.
    """
    alike = _alike([sample for samples in splits.values() for sample in samples])
    result: dict[str, list[Sample]] = {}
    repeats: list[str] = []
    home: dict[str, tuple[str, Sample]] = {}
    shared: list[str] = []
    for split, samples in splits.items():
        kept: dict[str, Sample] = {}
        for sample in samples:
            key = alike.get(sample.id, sample.id)
            first = kept.setdefault(key, sample)
            if first is not sample:
                repeats.append(f"{sample.id} is {first.id}")
                tags = tuple(dict.fromkeys(first.tags + sample.tags))
                kept[key] = replace(first, tags=tags, mask=first.mask or sample.mask)
            other, twin = home.setdefault(key, (split, sample))
            if other != split and twin.id != sample.id:
                shared.append(f"{sample.id} of {split} is {twin.id} of {other}")
        result[split] = list(kept.values())
    lines = []
    if repeats:
        lines.append(f"{len(repeats)} pictures are listed twice, byte for byte the same; tags united ({repeats[0]})")
    if shared:
        lines.append(f"{len(shared)} pictures are in two splits, byte for byte the same ({shared[0]})")
    return result, lines


def _alike(samples: Sequence[Sample]) -> dict[str, str]:
    """Per sample id, a key that it shares with the pictures of its file name and bytes; alone, it has none."""
    candidates: dict[tuple[str, int], dict[str, Path]] = defaultdict(dict)
    for sample in samples:
        if isinstance(sample.image, Path):
            name, size = sample.image.name.casefold(), sample.image.stat().st_size
            candidates[name, size][sample.id] = sample.image
    return {
        sample_id: hashlib.blake2b(path.read_bytes(), digest_size=16, key=name.encode()[:64]).hexdigest()
        for (name, _), paths in candidates.items()
        if len(paths) > 1
        for sample_id, path in paths.items()
    }


def _classes(listing: Listing, names: set[str], splits: Mapping[str, Sequence[Sample]]) -> tuple[Classes, list[str]]:
    """The classes of classes.txt, else those of the tags, with a line where their mask values are a guess."""
    if listing.known:
        return listing.known.classes, []
    masked = [sample for samples in splits.values() for sample in samples if sample.mask is not None]
    usual = listing.voc_values
    voc = is_voc(names) and fits_voc(sorted(names), masked, usual)
    classes = classes_of_tags(names, listing.where, voc_values=voc)
    if not masked or (voc and usual):
        return classes, []
    return classes, [guessed_values(classes, listing.classes_file)]


def fits_voc(names: Sequence[str], samples: Sequence[Sample], usual: bool) -> bool:
    """Whether masks hold VOC's values of these names of VOC, and not 1..n; ``usual`` where they do not tell.

    Args:
        names: in the order of 1..n.
        samples: with masks, some of which are opened; a photo without tags may show any of the classes.
        usual: the answer where both fit alike.
    """
    voc = {name: VOC_NAMES.index(name) + 1 for name in names}
    plain = {name: value for value, name in enumerate(names, start=1)}
    balance = 0
    for sample in samples[:: max(1, len(samples) // _PEEKED)] if voc != plain else ():
        try:
            values = set(np.unique(sample.read_mask()).tolist()) - {BACKGROUND, IGNORE}
        except WeaksegError:  # broken: said where the files are checked
            continue
        tags = [tag for tag in sample.tags if tag in voc] or names
        for value in values:
            balance += (value in {voc[tag] for tag in tags}) - (value in {plain[tag] for tag in tags})
    return balance > 0 if balance else usual
