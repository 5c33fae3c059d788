"""A finished run: what it has made, read when asked for, and shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import read_mask
from weakseg.data.sample import Array, Classes
from weakseg.errors import WeaksegError
from weakseg.evaluation.expected import by_photo
from weakseg.files import read_json
from weakseg.pipeline.doubts import doubts, drawn_line
from weakseg.pipeline.masklist import LIST
from weakseg.pipeline.outlook import reopened
from weakseg.pipeline.rundir.run import REPORT, Run
from weakseg.pipeline.stage import Context
from weakseg.recipes.recipe import Recipe
from weakseg.report.doubtful import most_doubtful
from weakseg.report.pictures import photo_sheet, spread

UPPER_BOUND = "trained on true masks: an upper bound, not weakly supervised"
SHOWN = (240, 320)
"""(height, width) of a picture in `FinishedRun.show`."""


@dataclass(frozen=True)
class FinishedRun:
    """What a run has made.

    Attributes:
        folder: its directory.
        data: the source that has its photos; None for the one that it was made of.
    """

    folder: Path
    data: str | None = None

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that it ran."""
        return Run(self.folder).read_recipe()

    @cached_property
    def classes(self) -> Classes:
        """Names, mask values and colours of the classes."""
        return Run(self.folder).read_classes()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Versions, lists, machine, times, warnings, and a summary of every stage."""
        return Run(self.folder).read_manifest()

    @property
    def scores(self) -> dict[str, Any]:
        """By stage (localize, refine, selftrain, predict): list, number of photos, ``scores`` (mIoU, IoU by class).

        Empty without ground truth.
        """
        found: dict[str, Any] | None = read_json(self.folder / "metrics.json")
        return {stage: entry for stage, entry in (found or {}).items() if entry.get("scores")}

    @cached_property
    def warnings(self) -> list[str]:
        """What to know before its masks are trusted."""
        upper = [UPPER_BOUND] if self.manifest["masks_used"]["for_training"] else []
        by_hand = drawn_line(self.manifest)
        return upper + ([by_hand] if by_hand else []) + doubts(self.recipe, self.manifest)

    @property
    def report(self) -> Path | None:
        """Its page of scores, photos and settings, to be opened in a browser; None where it could not be made."""
        file = self.folder / REPORT
        return file if file.is_file() else None

    @property
    def pictures(self) -> list[Path]:
        """Its contact sheets; those beside a recipe that scores nothing are of an earlier one."""
        return sorted((self.folder / "pictures").glob("*.png")) if "evaluate" in self.recipe.stages else []

    def class_maps(self, name: str) -> ClassMaps:
        """The class maps of a training photo by its id. Raises WeaksegError if there are none."""
        return load_maps(self._file("localize/maps", name, ".safetensors"))

    def pseudo_mask(self, name: str) -> Array:
        """The pseudo mask of a training photo by its id: uint8 (H, W), 0 background, c + 1 class c. Raises as above."""
        stage = (self.recipe.mask_stages or ["refine"])[-1]
        return self.classes.to_labels(read_mask(self._file(f"{stage}/masks", name, ".png")))

    def prediction(self, name: str) -> Array:
        """The network's mask of a photo of the validation list, as `pseudo_mask`."""
        return self.classes.to_labels(read_mask(self._file("predict/masks", name, ".png")))

    def doubtful(self, count: int = 20, tag: str | None = None) -> list[tuple[str, float]]:
        """The photos whose pseudo masks are worth a look first, found without ground truth.

        Args:
            count: how many; 0 for all.
            tag: only photos with this tag, by what is expected of it alone.

        Returns:
            id and expected IoU (0 to 1, the mean over the photo's tags), worst first.

        Raises:
            WeaksegError: the run has no masks, or there is no such class.
        """
        _, photos = most_doubtful(self.folder, count, tag)
        return list(by_photo(chain.from_iterable(found for _, found in photos)).items())

    def show(self, *names: str, count: int = 4, size: tuple[int, int] = SHOWN) -> Image.Image:
        """Photos with all that the run has made of them, as a picture, which a notebook displays.

        In a row: the photo, a map of each tag, pseudo mask, objects, prediction and ground truth, as far as there are
        some, in the colours of the classes, which the legend names. Ground truth is shown where the run scores.

        Args:
            names: ids of photos of its lists; without any, the most doubtful ones, or where nothing tells of doubts
                some of the training list.
            count: how many these are.
            size: (height, width) that each picture fits into.

        Raises:
            WeaksegError: no such photo, or the photos are no longer where they were.
        """
        strange = [name for name in names if not isinstance(name, str)]
        if strange:
            raise WeaksegError(f"show: ids are texts, as in show('cat/1', 'cat/2'), not {strange[0]!r}")
        return Image.fromarray(photo_sheet(self._context, names or self._worth_a_look(count), size).draw())

    def _worth_a_look(self, count: int) -> list[str]:
        listed = bool(self.recipe.mask_stages) and (self.folder / self.recipe.mask_stages[-1] / LIST).is_file()
        doubted = [name for name, _ in self.doubtful(count)] if listed else []
        return doubted or [sample.id for sample in spread(self._context.train.samples, count)]

    @cached_property
    def _context(self) -> Context:
        try:
            return reopened(Run(self.folder), self.data, keep=False)
        except (WeaksegError, OSError) as error:
            if self.data is not None:
                raise
            raise WeaksegError(
                f"{self.folder}: {error}; photos that have moved are found by open_run({str(self.folder)!r}, "
                "data=SOURCE)"
            ) from error

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        path = self.folder / kind / f"{name}{suffix}"
        if not path.is_file():
            if not (self.folder / kind).is_dir():
                raise WeaksegError(f"{self.folder}: the run has made no {kind}; see its stages and lists")
            raise WeaksegError(f"{path}: no such file; ids are those of the data source, as `weakseg data` knows them")
        return path
