"""What goes into a run: readable photos, hashed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weakseg.data.sample import ImageSet, Loader, Sample, file_of
from weakseg.data.source import inspect
from weakseg.errors import WeaksegError
from weakseg.files import read_json, write_json
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.pipeline.rundir.run import digest
from weakseg.training.progress import bar


def fingerprint(images: ImageSet | None) -> str:
    """A hash of a list: ids, tags, classes, and the contents of the image files and how they are read."""
    if images is None:
        return "none"
    samples = list(images.samples)
    contents = _contents([sample.image for sample in samples])
    listed = [
        [sample.id, sorted(sample.tags), content, sample.levels, sample.long_side]
        for sample, content in zip(samples, contents, strict=True)
    ]
    return digest([images.classes.names, images.classes.values, listed])


def mask_fingerprint(images: ImageSet) -> str:
    """A hash of the ground truth: the contents of its files and how they are read."""
    samples = list(images.samples)
    contents = _contents([sample.mask for sample in samples])
    return digest([[sample.id, content, sample.recode] for sample, content in zip(samples, contents, strict=True)])


def photo_contents(images: ImageSet) -> dict[str, str]:
    """What tells the photos of a list apart, by id: a hash of the file, or how the picture is composed."""
    samples = list(images.samples)
    found = _contents([sample.image for sample in samples])
    return {sample.id: str(content) for sample, content in zip(samples, found, strict=True)}


def reduced(images: ImageSet, long_side: int | None) -> int:
    """How many photos are longer than the working size; composed pictures are made to measure and not counted."""
    if long_side is None:
        return 0
    files = [sample for sample in images.samples if isinstance(sample.image, Path)]
    return sum(max(sample.photo_size()) > long_side for sample in files)


def readable(
    images: ImageSet, cache: Path, *, masks: bool, title: str, keep: bool = True
) -> tuple[ImageSet, list[str]]:
    """Leave out samples whose files cannot be decoded.

    Args:
        images: the list, with masks where ``masks`` is set.
        cache: JSON file that keeps the verdict for this very list.
        masks: every image needs a mask: decode it and compare its size with the image's.
        title: of the progress bar.
        keep: write the verdict there.

    Returns:
        The readable samples, and one line per problem.

    Raises:
        WeaksegError: if nothing is left.
    """
    key = digest([fingerprint(images), mask_fingerprint(images) if masks else None])
    verdict: dict[str, Any] | None = read_json(cache)
    if verdict is None or verdict.get("key") != key:
        with bar(title, len(images)) as running:
            good, problems = inspect(images.samples, masks=masks, progress=running.advance)
        without = [sample.id for sample in good if masks and sample.mask is None]
        problems += [f"{name}: no mask" for name in without]
        ids = {sample.id for sample in good}.difference(without)
        bad = [sample.id for sample in images.samples if sample.id not in ids]
        verdict = {"key": key, "bad": bad, "problems": problems}
        if keep:
            write_json(cache, verdict)
    left_out = set(verdict["bad"])
    kept: list[Sample] = [sample for sample in images.samples if sample.id not in left_out]
    if not kept:
        raise WeaksegError(f"no readable image in the list; the first problem: {verdict['problems'][0]}")
    return ImageSet(images.classes, kept), list(verdict["problems"])


def _contents(contents: Sequence[Path | Loader | None]) -> list[str | None]:
    """Per file the hash of its content, None where it is missing; per function of a composed picture what it is."""
    files = [file_of(content) for content in contents]
    hashes = CONTENTS.of(file for file in files if file is not None)
    return [repr(content) if file is None else hashes[file] for content, file in zip(contents, files, strict=True)]
