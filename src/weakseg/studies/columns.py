"""The columns that the table of an ablation may have, read from the manifests of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weakseg.pipeline.networks import checkpoint_of
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe


@dataclass(frozen=True)
class Measured:
    """What is known of a finished run: its recipe, manifest, and record per stage."""

    recipe: Recipe
    manifest: Mapping[str, Any]
    records: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, run: Run) -> Measured:
        """Read a run. Raises WeaksegError if there is none."""
        recipe = run.read_recipe()
        return cls(recipe, run.read_manifest(), {stage: run.record(stage) for stage in recipe.stages})


Read = Callable[[Measured], float | None]


@dataclass(frozen=True)
class Column:
    """A column: its heading, where its figure comes from, and how many decimals it is printed with."""

    title: str
    read: Read
    decimals: int = 1


def _score(stage: str, figure: str, *, best: bool = False) -> Read:
    """A figure of a stage's scores, in percent; None where there is no ground truth."""

    def read(run: Measured) -> float | None:
        entry = (run.manifest["metrics"] or {}).get(stage, {})
        scores = (entry.get("best", {}) if best else entry).get("scores", {})
        value = scores.get(figure)
        return None if value is None else 100 * float(value)

    return read


def _seconds(stage: str, passes: Callable[[Recipe], int] = lambda recipe: 1, *, of: str = "seconds") -> Read:
    """Seconds of a stage per image and pass: by the clock, "cpu_seconds" of all threads, or of a part in its summary.

    None where it was interrupted, which leaves its time unknown, and where a trained network was given.
    """

    def read(run: Measured) -> float | None:
        record = run.records.get(stage, {})
        seconds = {**(record.get("summary") or {}), **record}.get(of)
        if seconds is None or record.get("sessions", 1) > 1 or checkpoint_of(run.recipe, stage) is not None:
            return None
        images = int(run.manifest["lists"]["train"]["images"])
        return float(seconds) / (images * passes(run.recipe))

    return read


def _peak_memory(run: Measured) -> float | None:
    """Peak memory of the processes that did the stages (not of a GPU) in MiB; None if one was interrupted."""
    records = run.records.values()
    peaks = [float(record["peak_memory_mib"]) for record in records if record.get("peak_memory_mib")]
    whole = len(peaks) == len(records) and all(record.get("sessions", 1) == 1 for record in records)
    return max(peaks) if whole else None


COLUMNS = {
    "maps": Column("maps", _score("localize", "miou_present")),
    "background": Column("bg IoU", _score("localize", "background_iou")),
    "foreground": Column("fg IoU", _score("localize", "foreground_miou")),
    "best": Column("best maps (uses masks)", _score("localize", "miou_present", best=True)),
    "best_background": Column("best bg IoU (uses masks)", _score("localize", "background_iou", best=True)),
    "best_foreground": Column("best fg IoU (uses masks)", _score("localize", "foreground_miou", best=True)),
    "refined": Column("pseudo masks", _score("refine", "miou_present")),
    "selftrained": Column("after self-training", _score("selftrain", "miou_present")),
    "val": Column("network, val", _score("predict", "miou_present")),
    "train_seconds": Column("training s/image", _seconds("classify", lambda recipe: recipe.classify.train.epochs), 3),
    "train_cpu_seconds": Column(
        "training CPU s/image", _seconds("classify", lambda recipe: recipe.classify.train.epochs, of="cpu_seconds"), 3
    ),
    "guide_seconds": Column("super-pixels s/image", _seconds("classify", of="guide_seconds"), 3),
    "segment_seconds": Column(
        "network training s/image", _seconds("segment", lambda recipe: recipe.segment.train.epochs), 3
    ),
    "localize_seconds": Column("maps s/image", _seconds("localize"), 3),
    "refine_seconds": Column("refining s/image", _seconds("refine"), 3),
    "memory": Column("peak RAM MiB", _peak_memory, 0),
}
"""By name; see `LEGEND`."""

LEGEND = {
    "maps": "maps: with the recipe's fixed background",
    "best": "best: with the background that scores best, which is chosen with the masks",
    "ground": "bg, fg: of the maps, IoU of the background and mean IoU of the classes",
    "train_seconds": "training s/image: per image and epoch, by the clock, with what is made before the first",
    "train_cpu": "training CPU s/image: the same as processor time of all threads",
    "segment_seconds": "network training s/image: per image and epoch, by the clock",
    "guide": "super-pixels s/image: made once, before the first epoch",
}
"""What the headings do not say, by a part of the columns' names."""

DEFAULT = ("maps", "background", "foreground", "best", "refined", "val", "train_seconds", "memory")
"""Of a study that names none."""
