"""The scores of a folder of masks or class maps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.data.classmaps import ClassMaps
from weakseg.data.sample import ImageSet, Sample
from weakseg.data.source import open_source
from weakseg.data.truth import check_truth, survey
from weakseg.errors import WeaksegError
from weakseg.evaluation.scoring import Scored, score_maps, score_masks
from weakseg.pipeline.given import MAPS, MASKS, read_maps_of
from weakseg.pipeline.newphotos.finding import mask_reader
from weakseg.refine.background import BackgroundSettings
from weakseg.report.listing import out
from weakseg.report.table import class_table, percent
from weakseg.training.progress import warn


@dataclass(frozen=True)
class ScoredFolder:
    """How good the masks or class maps of a folder are.

    Attributes:
        folder: of the masks or maps.
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
        figures = self.scored.figures
        out.print(class_table(figures["scores"], title))
        if "best" in figures:
            name = "weight" if figures["rule"] == "own" else "threshold"
            best = figures["best"]
            asked = f"class maps with background {figures['rule']}, {name} {figures[name]:g}"
            mean = percent(best["scores"]["miou_present"])
            out.print(
                f"{asked}; the best {name}, chosen with the masks, is {best[name]:.2f}: {mean} % over classes present",
                highlight=False,
            )

    def as_json(self) -> dict[str, Any]:
        """The same for programs; ``scores`` are fractions, as in a run's metrics.json."""
        asked = {"masks": str(self.folder), "data": self.data, "split": self.split}
        return asked | self.scored.to_dict() | {"warnings": self.warnings}


def score_folder(folder: Path, spec: str, split: str, threshold: float | None = None) -> ScoredFolder:
    """Score ``folder/ID.png``, or class maps ``folder/ID.npy``, against the ground truth of a split.

    Args:
        folder: of masks, or of maps as `weakseg.data.givenmaps.read_given_maps` reads them.
        spec: the data source.
        split: of it.
        threshold: what maps must exceed; those with a background of their own need none. By default 0.2.

    Raises:
        WeaksegError: no such folder, source or split, or nothing that could be scored.
    """
    if not folder.is_dir():
        raise WeaksegError(f"{folder}: no such folder; give the folder that holds the mask PNGs")
    source = open_source(spec)
    images = source.image_set(split, masks=True)
    told = check_truth(survey(images.samples, images.classes), images.classes, source.classes_file)
    if _holds_maps(folder):
        read_maps, names = read_maps_of(folder, images)
        scored = score_maps(images, read_maps, _background(images, read_maps, threshold), "evaluate")
    elif threshold is not None:
        raise WeaksegError(f"{folder}: --threshold is for class maps (.npy); masks have their background already")
    else:
        read, names = mask_reader(folder, images)
        scored = score_masks(images, read, "evaluate")
    found = ScoredFolder(folder, spec, split, [*told, *names], scored)
    if not scored.images:
        for line in (*found.warnings, *scored.problems):
            warn(line)
        reason = scored.problems[0] if scored.problems else f"the split {split} has no ground-truth masks"
        raise WeaksegError(f"{folder}: nothing could be scored ({reason})")
    return found


def _holds_maps(folder: Path) -> bool:
    """Whether a folder holds files of class maps and not of masks."""
    suffixes = (path.suffix for path in folder.rglob("*"))
    return next((suffix for suffix in suffixes if suffix in (*MAPS, *MASKS)), "") in MAPS


def _background(images: ImageSet, read: Callable[[Sample], ClassMaps], threshold: float | None) -> BackgroundSettings:
    """Their own where the first maps that can be read have one and no threshold is asked for, else a constant."""
    for sample in images.samples if threshold is None else ():
        with suppress(WeaksegError):
            if (maps := read(sample)).classes:
                return BackgroundSettings(rule="own") if 0 in maps.classes else BackgroundSettings()
    return BackgroundSettings() if threshold is None else BackgroundSettings(threshold=threshold)
