"""What the photos of a source have in common that decides how they are read: bits, bands and orientation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from weakseg.data.headers import Header, is_stored_way, read_header
from weakseg.data.images import Levels, is_opacity, read_deep_range
from weakseg.data.sample import Sample, Source
from weakseg.errors import WeaksegError

_MAY_BE_DEEP = (".png", ".tif", ".tiff")
Headers = Mapping[Path, Header]


def look_over(source: Source) -> Source:
    """Choose one range of values for all deep photos of a source, and say what its photos' headers tell.

    Composed pictures are left alone. Only the headers are read, but for photos of more than 8 bits, whose range is.
    """
    samples = [sample for split in source.splits.values() if isinstance(split, list) for sample in split]
    headers = _headers(samples)
    if not headers:
        return source
    deep = [path for path, header in headers.items() if header.deep]
    levels = common_levels(deep)
    lines = [*_deep_lines(deep, headers, levels), *_band_lines(headers), *_turn_lines(samples, headers)]
    splits = source.splits
    if levels is not None:
        found = set(deep)
        splits = {
            split: [replace(sample, levels=levels) if sample.image in found else sample for sample in members]
            for split, members in source.splits.items()
        }
    return replace(source, splits=splits, warnings=(*source.warnings, *lines))


def common_levels(paths: Sequence[Path]) -> Levels | None:
    """The range of values that all these pictures of one deep band use; None for none, and for floats in 0..1."""
    ranges: list[Levels] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for found in pool.map(_range, paths):
            if found is not None:
                ranges.append(found)
    if not ranges:
        return None
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    fractions = low >= 0 and high <= 1 and high > low
    return None if fractions else (low, high)


def _range(path: Path) -> Levels | None:
    try:
        return read_deep_range(path)
    except WeaksegError:  # broken: said where the files are checked
        return None


def _headers(samples: Sequence[Sample]) -> dict[Path, Header]:
    """Headers of the photos that may be deep, and of those whose masks may lie another way."""
    wanted = {
        sample.image: None
        for sample in samples
        if isinstance(sample.image, Path)
        and (isinstance(sample.mask, Path) or sample.image.suffix.lower() in _MAY_BE_DEEP)
    }
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = zip(wanted, pool.map(read_header, wanted), strict=True)
        return {path: header for path, header in found if header is not None}


def _deep_lines(deep: Sequence[Path], headers: Headers, levels: Levels | None) -> list[str]:
    if not deep:
        return []
    bits = "floating point" if headers[deep[0]].mode == "F" else "more than 8 bits"
    if levels is None:
        return [f"{len(deep)} photos are of {bits}: 0..1 becomes black..white"]
    return [f"{len(deep)} photos are of {bits}: {levels[0]:g}..{levels[1]:g} becomes black..white in all of them alike"]


def _band_lines(headers: Headers) -> list[str]:
    lines = []
    cut = [path for path, header in headers.items() if header.cut]
    if cut:
        lines.append(f"{len(cut)} photos have 16 bits per colour, of which the upper 8 are read (first: {cut[0]})")
    fourth = [path for path, header in headers.items() if header.fourth and not _has_opacity(path)]
    if fourth:
        lines.append(
            f"{len(fourth)} photos have a fourth band that is no opacity; red, green and blue are read "
            f"(first: {fourth[0]})"
        )
    return lines


def _has_opacity(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return is_opacity(np.asarray(image.getchannel("A")))
    except Exception:  # broken: said where the files are checked
        return True


def _turn_lines(samples: Sequence[Sample], headers: Headers) -> list[str]:
    """Masks that lie another way than EXIF shows their photos, or may."""
    turned: list[str] = []
    unknown: list[str] = []
    for sample in samples:
        header = headers.get(sample.image) if isinstance(sample.image, Path) else None
        if header is None or header.orientation == 1 or not isinstance(sample.mask, Path):
            continue
        mask = read_header(sample.mask)
        if mask is not None and is_stored_way(header, mask.size):
            turned.append(sample.id)
        elif not header.sideways or header.size[0] == header.size[1]:
            unknown.append(sample.id)
    lines = []
    if turned:
        lines.append(
            f"{len(turned)} masks lie as their photos are stored, not as EXIF shows them; they are turned like the "
            f"photos (first: {turned[0]})"
        )
    if unknown:
        lines.append(
            f"{len(unknown)} photos are turned or mirrored by EXIF in a way that sizes cannot show; their masks are "
            f"taken as drawn on the upright photo (first: {unknown[0]}); if they were drawn on the stored one, remove "
            "the EXIF orientation"
        )
    return lines
