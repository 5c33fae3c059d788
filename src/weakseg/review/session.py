"""What is reviewed: the photos of a run, most doubtful first, with their masks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from weakseg.data.images import read_mask
from weakseg.data.sample import Array, Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.outlook import reopened
from weakseg.pipeline.reviews import reviews_beside
from weakseg.pipeline.rundir.run import RECIPE, Run
from weakseg.planning.plan import planned_before
from weakseg.report.html.looks import PhotoList, photo_lists
from weakseg.review.store import Store
from weakseg.training.progress import bar, warn

What = Literal["masks", "predictions"]


@dataclass(frozen=True)
class Session:
    """The photos of a run and what is said of them.

    Attributes:
        run: its directory.
        data: the source that its photos are of.
        photos: by id, most doubtful first.
        doubts: of each, 0 to 1; None where nothing tells.
        made: reads what the run has made of a photo, labels (H, W).
        store: the reviews.
    """

    run: Path
    data: str
    photos: Mapping[str, Sample]
    doubts: Mapping[str, float | None]
    made: PhotoList
    store: Store

    @property
    def classes(self) -> Classes:
        """Of the masks."""
        return self.store.classes

    @property
    def next_command(self) -> str:
        """The command that goes on with the run and learns from the reviews, for a shell."""
        recipe = [] if planned_before(self.run) else [str(self.run / RECIPE)]
        run = ["weakseg", "run", *recipe, "--data", self.data, "--out", str(self.run)]
        return shlex.join([*run, f"data.reviews={self.store.file}"])

    def sample(self, name: str) -> Sample:
        """A photo by its id. Raises WeaksegError for any other text."""
        try:
            return self.photos[name]
        except KeyError:
            raise WeaksegError(f"{name}: no photo of this run") from None

    def photo(self, name: str) -> Array:
        """The picture at its own size, uint8 RGB (H, W, 3)."""
        return replace(self.sample(name), long_side=None).read_image()

    def mask(self, name: str, *, own: bool = False) -> Array:
        """The mask of a photo, uint8 (H, W), in the values of the classes.

        Args:
            name: its id.
            own: what the run has made, even where a mask was drawn by hand.
        """
        sample, review = self.sample(name), self.store.read().get(name)
        if review is not None and review.mask is not None and not own:
            return read_mask(review.mask)
        assert self.made.judged is not None
        return self.classes.to_values(self.made.judged(sample))


def open_session(folder: Path, reviews: Path | None, what: What, data: str | None = None) -> Session:
    """Open a run for review.

    Args:
        folder: the run.
        reviews: the file to write; by default ``reviews.jsonl`` in the folder RUN-reviews beside the run.
        what: the masks of the training photos, or the predictions of the validation list.
        data: where the photos are; by default where they were.

    Raises:
        WeaksegError: there is no such run, it has no such masks, or the file of reviews holds anything else.
    """
    run = Run(folder)
    context = reopened(run, data)
    data = data or run.read_manifest()["data"]
    role = "train" if what == "masks" else "val"
    photos = next((each for each in photo_lists(context) if each.role == role and each.judged), None)
    if photos is None:
        raise WeaksegError(f"{folder}: has made no {what}; review what it has with --what, or run those stages")
    file = reviews or reviews_beside(folder)
    if file.absolute().is_relative_to(folder.absolute()):
        raise WeaksegError(f"{file}: lies in the run, which reviews leave as it is; name another with --reviews")
    store = Store(file, context.train.classes)
    store.read()
    doubts = _doubts(photos)
    order = sorted(doubts, key=lambda name: -1.0 if doubts[name] is None else -2.0 - float(doubts[name] or 0))
    samples = {sample.id: sample for sample in photos.samples}
    return Session(folder, data, {name: samples[name] for name in order}, doubts, photos, store)


def _doubts(photos: PhotoList) -> dict[str, float | None]:
    """The doubt of each photo whose mask can be read; the others are said and left out."""
    found: dict[str, float | None] = {}
    assert photos.judged is not None
    with bar("read masks", len(photos.samples)) as running:
        for sample in photos.samples:
            try:
                sure = photos.confidence(sample) if photos.confidence else None
                found[sample.id] = photos.doubt(sample, photos.judged(sample), sure)
            except WeaksegError as error:
                warn(f"left out: {error}")
            running.advance()
    if not found:
        raise WeaksegError("review: no mask of the run can be read; the same `weakseg run` makes what is missing")
    return found
