"""What people have said of a run's photos, as the next run takes it: tags, rejected masks, masks drawn by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from weakseg.data.images import read_mask
from weakseg.data.reviews import read_reviews
from weakseg.data.sample import BACKGROUND, IGNORE, Classes, ImageSet, Sample
from weakseg.data.source import Source
from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import say, warn

REVIEWS = "reviews.jsonl"
NAMED = 3
"""Unknown photos that are named in a line."""


def reviews_beside(run: Path) -> Path:
    """Where the reviews of a run go that are given no other place: RUN-reviews/reviews.jsonl, beside the run."""
    folder = run if run.name.strip(".") else run.resolve()
    return folder.with_name(f"{folder.name}-reviews") / REVIEWS


@dataclass(frozen=True)
class Reviews:
    """The reviews of the training photos.

    Attributes:
        file: that has them; None without reviews, and then all else is empty.
        accepted: photos whose mask was found right.
        rejected: ids of photos whose mask nothing may learn from.
        drawn: by id the file of a mask drawn by hand, in the values of the classes.
        tags: by id the tags of photos whose tags were wrong.
        unknown: ids of no training photo.
    """

    file: Path | None = None
    accepted: int = 0
    rejected: frozenset[str] = frozenset()
    drawn: Mapping[str, Path] = field(default_factory=dict)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def retagged(self, images: ImageSet) -> ImageSet:
        """Photos with the tags that the reviews give them; ``images`` itself where they give none."""
        if not self.tags:
            return images
        samples = [replace(sample, tags=self.tags.get(sample.id, sample.tags)) for sample in images.samples]
        return ImageSet(images.classes, samples)

    def taught(self, images: ImageSet) -> ImageSet:
        """The photos whose masks are learnt from; ``images`` itself where none was rejected."""
        return images.without(self.rejected)

    def key(self) -> Any:
        """What learning from masks depends on: rejected ids and the contents of drawn masks; None without either."""
        if not (self.rejected or self.drawn):
            return None
        contents = CONTENTS.of(self.drawn.values())
        return [sorted(self.rejected), sorted((name, contents[path]) for name, path in self.drawn.items())]

    def manifest(self) -> dict[str, Any] | None:
        """The file, how many reviews of each kind, and the unknown ids; None without reviews."""
        if self.file is None:
            return None
        counts = {
            "accepted": self.accepted,
            "rejected": len(self.rejected),
            "retagged": len(self.tags),
            "drawn": len(self.drawn),
        }
        return {"file": str(self.file), **counts, "unknown": list(self.unknown)}

    def lines(self) -> list[str]:
        """What they are, in words; nothing without reviews."""
        if self.file is None:
            return []
        lines = [
            f"reviews: {self.accepted} masks accepted, {len(self.rejected)} rejected (left out of the training on "
            f"masks), {len(self.drawn)} drawn by hand (learnt from as truth), {len(self.tags)} photos with other tags"
        ]
        if self.unknown:
            more = f" and {len(self.unknown) - NAMED} more" if len(self.unknown) > NAMED else ""
            lines.append(
                f"data.reviews: {len(self.unknown)} reviews of {self.file} are of no training photo and change nothing "
                f"({', '.join(self.unknown[:NAMED])}{more}); a run on photos that have these ids takes them"
            )
        return lines


def load_reviews(recipe: Recipe, images: ImageSet, source: Source) -> Reviews:
    """Read the file that ``data.reviews`` names.

    Args:
        recipe: names it.
        images: the readable training photos, with their own tags.
        source: tells photos that are not readable, or in no training list, from those that nobody knows.

    Raises:
        WeaksegError: the file or a mask in it cannot be used; naming the file.
    """
    if recipe.data.reviews is None:
        return Reviews()
    file = Path(recipe.data.reviews).expanduser()
    try:
        found = read_reviews(file, images.classes)
    except WeaksegError as error:
        raise WeaksegError(f"data.reviews: {error}") from error
    samples = {sample.id: sample for sample in images.samples}
    listed = {sample.id for sample in source.splits[recipe.data.train]}  # what cannot be read is said elsewhere
    known = {name: review for name, review in found.items() if name in samples}
    drawn = {name: review.mask for name, review in known.items() if review.mask is not None}
    for name, mask in drawn.items():
        check_mask(mask, samples[name], images.classes)
    tags = {name: review.tags for name, review in known.items() if review.tags is not None}
    counts = Counter(review.decision for review in known.values())
    return Reviews(
        file,
        counts["accepted"],
        frozenset(name for name, review in known.items() if review.decision == "rejected"),
        drawn,
        {name: given for name, given in tags.items() if set(given) != set(samples[name].tags)},
        tuple(name for name in found if name not in listed),
    )


def check_mask(path: Path, sample: Sample, classes: Classes) -> None:
    """Raise WeaksegError if a mask drawn by hand does not fit its photo or holds values of no class."""
    try:
        mask = read_mask(path)
    except WeaksegError as error:
        raise WeaksegError(f"data.reviews: {error}; the review of {sample.id} needs it") from error
    height, width = sample.photo_size()
    if mask.shape != (height, width):
        raise WeaksegError(
            f"data.reviews: {path}: a mask of {mask.shape[1]}x{mask.shape[0]}, but the photo {sample.id} is "
            f"{width}x{height}; draw it at the photo's own size, or delete its line"
        )
    strange = sorted(set(np.unique(mask).tolist()) - {BACKGROUND, IGNORE, *classes.values})
    if strange:
        values = ", ".join(f"{name} {value}" for name, value in zip(classes.names, classes.values, strict=True))
        raise WeaksegError(
            f"data.reviews: {path}: holds the value {strange[0]}, which is of no class ({values}; background 0, "
            f"ignored 255); correct the mask, or delete the line of {sample.id}"
        )


def tell_reviews(reviews: Reviews, recipe: Recipe) -> Sequence[str]:
    """Say what the reviews are and what of them changes nothing.

    Returns:
        the warnings.
    """
    first, *warnings = reviews.lines() or [""]
    if first:
        say(first)
    masks = len(reviews.drawn) + len(reviews.rejected)
    if masks and recipe.uses_true_masks and "segment" in recipe.stages:
        warnings.append(
            f"data.reviews: segment learns from true masks; {masks} drawn or rejected ones do not change it"
        )
    elif masks and not {"selftrain", "segment"} & set(recipe.stages):
        warnings.append(f"data.reviews: no stage learns from masks here; {masks} drawn or rejected ones change nothing")
    for line in warnings:
        warn(line)
    return warnings
