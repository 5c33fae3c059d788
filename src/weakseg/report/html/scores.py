"""The figures against ground truth: IoU by class and stage, and what is taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weakseg.data.sample import Classes

MATRIX = 24
"""Labels of a confusion matrix at most; of more labels the largest confusions are listed."""
LISTED = 30
BACKGROUND_COLOUR = "#808080"
NAMES = {
    "localize": "class maps",
    "refine": "pseudo masks",
    "selftrain": "masks of selftrain",
    "predict": "predictions",
}

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class ClassRow:
    """A label in the table of IoU.

    Attributes:
        name: of it.
        colour: CSS.
        shares: of the true pixels of each list scored, 0 to 1.
        iou: by stage, 0 to 1; None where the label neither is true nor predicted.
    """

    name: str
    colour: str
    shares: tuple[float, ...]
    iou: Mapping[str, float | None]


@dataclass(frozen=True)
class Cell:
    """Of a confusion matrix.

    Attributes:
        share: of the true label's pixels, 0 to 1.
        pixels: how many.
    """

    share: float
    pixels: int


@dataclass(frozen=True)
class Confusion:
    """What a stage's masks take for what.

    Attributes:
        stage: whose masks.
        title: what they are.
        on: the split and how many photos.
        names: the labels that are true or predicted somewhere.
        rows: a row per true label of ``names``, a cell per predicted label; empty where there are too many labels.
        largest: the commonest confusions: true label, predicted label, share of the true label's pixels.
    """

    stage: str
    title: str
    on: str
    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    largest: tuple[tuple[str, str, Cell], ...]


def colours(classes: Classes) -> dict[str, str]:
    """CSS colours by label name, the data's own; the background's is grey."""
    found = {"background": BACKGROUND_COLOUR}
    for name, value in zip(classes.names, classes.values, strict=True):
        found[name] = "#{:02x}{:02x}{:02x}".format(*classes.palette[value])
    return found


def scored_stages(metrics: Metrics) -> list[str]:
    """The stages that were scored with at least one photo, in the recipe's order."""
    return [stage for stage, entry in metrics.items() if entry.get("scores")]


def scored_splits(metrics: Metrics) -> list[str]:
    """The lists that were scored."""
    return list(dict.fromkeys(metrics[stage]["split"] for stage in scored_stages(metrics)))


def class_rows(metrics: Metrics, classes: Classes) -> list[ClassRow]:
    """A row per label, background first."""
    stages, paint = scored_stages(metrics), colours(classes)
    if not stages:
        return []
    pixels: dict[str, Mapping[str, int]] = {
        metrics[stage]["split"]: metrics[stage]["scores"]["pixels"] for stage in stages
    }
    totals = {split: sum(counts.values()) or 1 for split, counts in pixels.items()}
    return [
        ClassRow(
            name,
            paint.get(name, BACKGROUND_COLOUR),
            tuple(counts[name] / totals[split] for split, counts in pixels.items()),
            {stage: metrics[stage]["scores"]["iou"].get(name) for stage in stages},
        )
        for name in metrics[stages[0]]["scores"]["pixels"]
    ]


def confusions(metrics: Metrics) -> list[Confusion]:
    """The confusion matrix of every stage that has one."""
    found = []
    for stage in scored_stages(metrics):
        entry = metrics[stage]
        counts: Mapping[str, Mapping[str, int]] | None = entry.get("confusion")
        if counts:
            on = f"{entry['split']}, {entry['images']} photos"
            found.append(_confusion(stage, on, counts, list(entry["scores"]["iou"])))
    return found


def _confusion(stage: str, on: str, counts: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> Confusion:
    predicted = {name for row in counts.values() for name in row}
    names = [name for name in labels if name in counts or name in predicted]
    rows = [[_cell(counts.get(true, {}), name) for name in names] for true in names]
    pairs = [
        (true, name, cell)
        for true, row in zip(names, rows, strict=True)
        for name, cell in zip(names, row, strict=True)
        if cell.pixels and name != true
    ]
    largest = sorted(pairs, key=lambda pair: -pair[2].share)[:LISTED]
    table = tuple(map(tuple, rows)) if len(names) <= MATRIX else ()
    return Confusion(stage, NAMES.get(stage, stage), on, tuple(names), table, tuple(largest))


def _cell(row: Mapping[str, int], name: str) -> Cell:
    pixels = row.get(name, 0)
    return Cell(pixels / (sum(row.values()) or 1), pixels)
