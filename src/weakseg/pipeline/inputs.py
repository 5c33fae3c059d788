"""What goes into a run: readable photos, hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weakseg.data.sample import ImageSet, Sample
from weakseg.data.source import inspect
from weakseg.engine.progress import bar
from weakseg.errors import WeaksegError
from weakseg.files import read_json, write_json
from weakseg.pipeline.run import digest


def fingerprint(images: ImageSet | None) -> str:
    """A hash of a list: ids, tags, classes, and the sizes of the image files."""
    if images is None:
        return "none"
    samples = [[sample.id, sorted(sample.tags), _stat(sample.image)] for sample in images.samples]
    return digest([images.classes.names, images.classes.values, samples])


def mask_fingerprint(images: ImageSet) -> str:
    """A hash of the ground truth's files, without opening them."""
    return digest([[sample.id, _stat(sample.mask)] for sample in images.samples])


def readable(images: ImageSet, cache: Path, *, masks: bool, title: str) -> tuple[ImageSet, list[str]]:
    """Leave out samples whose files cannot be decoded.

    Args:
        images: the list, with masks where ``masks`` is set.
        cache: JSON file that keeps the verdict for this very list.
        masks: every image needs a mask: decode it and compare its size with the image's.
        title: of the progress bar.

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
        write_json(cache, verdict)
    left_out = set(verdict["bad"])
    kept: list[Sample] = [sample for sample in images.samples if sample.id not in left_out]
    if not kept:
        raise WeaksegError(f"no readable image in the list; the first problem: {verdict['problems'][0]}")
    return ImageSet(images.classes, kept), list(verdict["problems"])


def _stat(file: object) -> object:
    if isinstance(file, Path):
        return [file.name, file.stat().st_size if file.exists() else None]
    return repr(file)
