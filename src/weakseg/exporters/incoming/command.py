"""One call from a file that came back to reviews."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weakseg.data.headers import upright_as
from weakseg.data.images import IGNORE, read_mask, write_mask
from weakseg.data.reviews import Decision, Review, write_review
from weakseg.data.sample import Array, Classes, Sample, Source
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError
from weakseg.exporters.collect import source_of
from weakseg.exporters.folder import new_folder
from weakseg.exporters.incoming.matching import Photos
from weakseg.exporters.incoming.reading import read_returns
from weakseg.exporters.incoming.returned import Returned
from weakseg.pipeline.reviews import REVIEWS, reviews_beside
from weakseg.pipeline.rundir.run import Run

MASKS = "masks"


@dataclass(frozen=True)
class Imported:
    """Reviews that were written.

    Attributes:
        reviews: their file.
        kind: of the file that came back.
        decisions: how many reviews of each decision.
        notes: what was not read, and of how many photos nothing changed.
    """

    reviews: Path
    kind: str
    decisions: dict[str, int]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "reviews": str(self.reviews),
            "kind": self.kind,
            "decisions": self.decisions,
            "notes": list(self.notes),
        }

    def show(self) -> None:
        """Print it for people."""
        print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """For people."""
        counts = ", ".join(f"{number} {name}" for name, number in self.decisions.items())
        return [f"read {self.kind}: {counts or 'no review'}, written to {self.reviews}", *self.notes]


@dataclass(frozen=True)
class _Known:
    """What corrections are compared with.

    Attributes:
        source: the photos.
        classes: of run or source.
        masks: folders of the run's masks, the first that has a photo counts.
    """

    source: Source
    classes: Classes
    masks: tuple[Path, ...]

    def labels(self, sample: Sample) -> Array | None:
        """The mask that the run has made of a photo; None without one."""
        found = next((file for folder in self.masks if (file := folder / f"{sample.id}.png").is_file()), None)
        return None if found is None else self.classes.to_labels(read_mask(found))


def import_reviews(
    file: Path,
    *,
    run: Path | None = None,
    data: str | None = None,
    out: Path | None = None,
    append: bool = False,
    overwrite: bool = False,
) -> Imported:
    """Read corrected masks and changed tags and write them as reviews; nothing is written where anything is wrong.

    A mask that is the run's own makes a photo "accepted", another one "corrected"; tags that changed where the mask
    did not, "tags". Photos that the file does not name get no review.

    Args:
        file: what came back; see `weakseg.exporters.incoming.reading.read_returns`.
        run: whose masks were corrected; its photos are those of its source, or of ``data`` where they have moved.
        data: without a run, the source of the photos.
        out: folder for reviews.jsonl and masks; by default RUN-reviews beside the run, or FILE-reviews beside the file.
        append: add to reviews that are there.
        overwrite: replace reviews that are there.

    Raises:
        WeaksegError: a file that cannot be read, an id that is not in the data, an unknown class, a mask that does not
            fit its photo, or reviews that are there already.
    """
    if run is None and data is None:
        raise WeaksegError("import: say what was corrected with --run RUN, or --data SOURCE")
    out = out or (file.with_name(f"{file.stem}-reviews") if run is None else reviews_beside(run).parent)
    _check_out(out, append=append, overwrite=overwrite)
    known = _known(run, data)
    returns = read_returns(file, known.classes)
    pairs = _matched(returns.photos, known, file)
    decided = [_decided(photo, sample, known) for photo, sample in pairs]
    reviews = [(review, labels) for review, labels in decided if review is not None]
    if append and out.exists():
        _write(out, reviews, known.classes)
    else:
        with new_folder(out, overwrite=overwrite, mark=REVIEWS) as temporary:
            _write(temporary, reviews, known.classes)
    same = len(decided) - len(reviews)
    notes = (*returns.notes, *([f"{same} photos have the tags that they had; no review"] if same else []))
    return Imported(out / REVIEWS, returns.kind, dict(Counter(review.decision for review, _ in reviews)), notes)


def _check_out(out: Path, *, append: bool, overwrite: bool) -> None:
    if append and overwrite:
        raise WeaksegError("import: --append adds to the reviews and --overwrite replaces them; give one of the two")
    if (out / REVIEWS).is_file() and not (append or overwrite):
        raise WeaksegError(
            f"{out / REVIEWS}: holds reviews; add to them with --append, or replace them with --overwrite"
        )


def _known(run: Path | None, data: str | None) -> _Known:
    if run is None:
        source = open_source(str(data))
        return _Known(source, source.classes, ())
    opened = Run(run)
    recipe = opened.read_recipe()
    folders = [opened.stage_folder(stage) / "masks" for stage in (*reversed(recipe.mask_stages), "predict")]
    return _Known(source_of(opened, data), opened.read_classes(), tuple(folders))


def _matched(photos: Any, known: _Known, file: Path) -> list[tuple[Returned, Sample]]:
    """Each photo of the file with its sample. Raises WeaksegError where some have none, or two have the same."""
    finder = Photos([sample for samples in known.source.splits.values() for sample in samples])
    pairs = [(photo, finder.find(photo.names, photo.where)) for photo in photos]
    lost = [photo for photo, sample in pairs if sample is None]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise WeaksegError(
            f"{lost[0].where}{more}: no such photo in {known.source.spec} (looked for {lost[0].names[0]})"
        )
    found = [(photo, sample) for photo, sample in pairs if sample is not None]
    twice = [name for name, count in Counter(sample.id for _, sample in found).items() if count > 1]
    if twice:
        raise WeaksegError(f"{file}: names the photo {twice[0]} more than once; leave one entry")
    if not found:
        raise WeaksegError(f"{file}: names no photo; nothing to import")
    return found


def _decided(photo: Returned, sample: Sample, known: _Known) -> tuple[Review | None, Array | None]:
    """The review of a photo, None where nothing changed, and its mask as labels where it was corrected."""
    for tag in photo.tags or ():
        if tag not in known.classes.names:
            raise WeaksegError(f"{photo.where}: no class {tag!r}; available: {', '.join(known.classes.names)}")
    retagged = photo.tags is not None and set(photo.tags) != set(sample.tags)
    if photo.draw is None:
        return (Review(sample.id, "tags", photo.tags) if retagged else None), None
    labels = _fitting(photo.draw(known.classes), photo, sample)
    before = known.labels(sample)
    if before is not None and before.shape == labels.shape and (_plain(before) == _plain(labels)).all():
        decision: Decision = "tags" if retagged else "accepted"
        return Review(sample.id, decision, photo.tags), None
    shown = tuple(known.classes.names[label - 1] for label in np.unique(labels).tolist() if 0 < label < IGNORE)
    tags = shown if photo.tags is None else tuple(dict.fromkeys((*photo.tags, *shown)))
    return Review(sample.id, "corrected", tags, Path(MASKS) / f"{sample.id}.png"), labels


def _fitting(labels: Array | None, photo: Returned, sample: Sample) -> Array:
    """Labels upright and of the photo's size. Raises WeaksegError where they do not fit."""
    height, width = sample.photo_size()
    if labels is None:
        return np.zeros((height, width), np.uint8)
    upright = upright_as(sample.image, labels) if isinstance(sample.image, Path) else labels
    if upright.shape != (height, width):
        rows, columns = labels.shape
        raise WeaksegError(f"{photo.where}: a mask of {columns}x{rows}, but the photo {sample.id} is {width}x{height}")
    return upright


def _plain(labels: Array) -> Array:
    """Labels as formats have them that know nothing of pixels to ignore."""
    return np.where(labels == IGNORE, 0, labels).astype(np.uint8)


def _write(folder: Path, reviews: list[tuple[Review, Array | None]], classes: Classes) -> None:
    """Write masks, then the reviews that name them."""
    for review, labels in reviews:
        if labels is not None:
            write_mask(folder / str(review.mask), classes.to_values(labels), classes.palette)
    (folder / REVIEWS).touch()
    for review, _ in reviews:
        mask = None if review.mask is None else folder / review.mask
        write_review(folder / REVIEWS, Review(review.id, review.decision, review.tags, mask))
