"""Masks that people have corrected, written in place of a run's own, or told of where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from weakseg.data.images import read_mask
from weakseg.data.reviews import Review, read_reviews
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.exporters.base import MaskedPhoto
from weakseg.pipeline.reviews import reviews_beside
from weakseg.recipes.recipe import Recipe


def corrected(photos: Sequence[MaskedPhoto], file: Path, classes: Classes) -> tuple[list[MaskedPhoto], str]:
    """The photos with the masks that reviews give them, without those whose mask was rejected.

    Args:
        photos: with the run's own masks.
        file: of reviews, as ``weakseg review`` and ``weakseg import`` write it.
        classes: of the masks.

    Returns:
        the photos, and a line that tells how many masks are corrected and how many left out.

    Raises:
        WeaksegError: the file cannot be read, or leaves nothing to write.
    """
    reviews = read_reviews(file, classes)
    rejected = {name for name, review in reviews.items() if review.decision == "rejected"}
    drawn = {name: review.mask for name, review in reviews.items() if review.mask is not None}
    # Objects of the run are no longer those of the mask.
    kept = [
        replace(photo, path=drawn[photo.id], objects=None) if photo.id in drawn else photo
        for photo in photos
        if photo.id not in rejected
    ]
    if not kept:
        raise WeaksegError(f"{file}: all {len(photos)} masks were rejected, none is left to write")
    count = sum(photo.id in drawn for photo in kept)
    return kept, f"of {file}: {count} corrected masks written, {len(photos) - len(kept)} rejected ones left out"


def unwritten(photos: Sequence[MaskedPhoto], run: Path, recipe: Recipe, classes: Classes) -> list[str]:
    """Lines that tell of corrections which an export of the run's own masks does not hold, with the way to have them.

    Looked for in the reviews that the run learnt from and in those beside it.
    """
    learnt = [Path(recipe.data.reviews).expanduser()] if recipe.data.reviews else []
    lines = []
    for file in dict.fromkeys(path.absolute() for path in (*learnt, reviews_beside(run))):
        if not file.is_file():
            continue
        try:
            reviews = read_reviews(file, classes)
        except WeaksegError as error:
            lines.append(f"corrections are not written, as their file cannot be used: {error}")
            continue
        count = sum(_differs(photo, reviews[photo.id]) for photo in photos if photo.id in reviews)
        if count:
            lines.append(f"{count} of these masks were corrected or rejected: --reviews {file} takes that into account")
    return lines


def _differs(photo: MaskedPhoto, review: Review) -> bool:
    """Whether the review asks for another mask than is written, or for none."""
    if review.mask is None:
        return review.decision == "rejected"
    try:
        return photo.objects is not None or not np.array_equal(read_mask(review.mask), photo.values())
    except WeaksegError:
        return True
