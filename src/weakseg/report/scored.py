"""The scores of a folder of masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.data.source import open_source
from weakseg.data.truth import check_truth, survey
from weakseg.errors import WeaksegError
from weakseg.evaluation.scoring import Scored, score_masks
from weakseg.pipeline.newphotos.finding import mask_reader
from weakseg.report.listing import out
from weakseg.report.table import class_table
from weakseg.training.progress import warn


@dataclass(frozen=True)
class ScoredFolder:
    """How good the masks of a folder are.

    Attributes:
        folder: of the masks.
        data: the source of the ground truth.
        split: which list of it.
        warnings: what does not fit, in the ground truth and in the masks' names.
        scored: the figures.
    """

    folder: Path
    data: str
    split: str
    warnings: list[str]
    scored: Scored

    def show(self) -> None:
        """Print IoU per class, and what was left out."""
        for line in (*self.warnings, *(f"left out: {problem}" for problem in self.scored.problems)):
            out.print(line, style="yellow", highlight=False, soft_wrap=True)
        title = f"{self.folder} on {self.data}, {self.split}: {self.scored.images} images"
        out.print(class_table(self.scored.figures["scores"], title))

    def as_json(self) -> dict[str, Any]:
        """The same for programs; ``scores`` are fractions, as in a run's metrics.json."""
        asked = {"masks": str(self.folder), "data": self.data, "split": self.split}
        return asked | self.scored.to_dict() | {"warnings": self.warnings}


def score_folder(folder: Path, spec: str, split: str) -> ScoredFolder:
    """Score ``folder/ID.png`` against the ground truth of a split.

    Raises:
        WeaksegError: no such folder, source or split, or nothing that could be scored.
    """
    if not folder.is_dir():
        raise WeaksegError(f"{folder}: no such folder; give the folder that holds the mask PNGs")
    source = open_source(spec)
    images = source.image_set(split, masks=True)
    told = check_truth(survey(images.samples, images.classes), images.classes, source.classes_file)
    read, names = mask_reader(folder, images)
    found = ScoredFolder(folder, spec, split, [*told, *names], score_masks(images, read, "evaluate"))
    scored = found.scored
    if not scored.images:
        for line in (*found.warnings, *scored.problems):
            warn(line)
        reason = scored.problems[0] if scored.problems else f"the split {split} has no ground-truth masks"
        raise WeaksegError(f"{folder}: nothing could be scored ({reason})")
    return found
