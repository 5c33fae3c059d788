"""What the runs of an ablation have measured, summed up over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weakseg.studies.columns import COLUMNS, DEFAULT, LEGEND
from weakseg.studies.study import Row, Study


@dataclass(frozen=True)
class Result:
    """One run of an ablation.

    Attributes:
        row: which of the study's.
        seed: of the recipe.
        folder: of the run.
        error: why it has failed, in one line; empty if it has not.
        figures: by column; None where the run has none.
        about: what the figures come from: machine, threads, weakseg, date, list, images, scored,
            chosen_with_masks.
    """

    row: Row
    seed: int
    folder: str
    error: str = ""
    figures: dict[str, float | None] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """Mean and sample standard deviation (n - 1) over seeds; spread is None for a single one."""

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Cell | None:
        """The cell of some runs; None for none."""
        if not values:
            return None
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    def text(self, decimals: int) -> str:
        """As in ``53.1 ± 0.4``."""
        spread = "" if self.spread is None else f" ± {self.spread:.{decimals}f}"
        return f"{self.mean:.{decimals}f}{spread}"


@dataclass(frozen=True)
class Summary:
    """A study's runs, summed up.

    Attributes:
        study: what was run.
        results: of all runs that were tried, in any order.
        given: how it was asked for: data, overlays, overrides.
    """

    study: Study
    results: Sequence[Result]
    given: dict[str, Any]

    def columns(self) -> tuple[str, ...]:
        """The study's columns, or all that there are; without those that no run has measured."""
        wanted = self.study.columns or DEFAULT
        measured = [name for name in wanted if any(result.figures.get(name) is not None for result in self.results)]
        return tuple(measured or wanted)

    def of(self, row: Row) -> list[Result]:
        """The results of a row."""
        return [result for result in self.results if result.row.label == row.label]

    def cell(self, row: Row, column: str) -> Cell | None:
        """What a row's runs have measured."""
        values = (result.figures.get(column) for result in self.of(row))
        return Cell.of([value for value in values if value is not None])

    def failed(self) -> list[Result]:
        """The runs that have failed."""
        return [result for result in self.results if result.error]

    def line_of(self, result: Result) -> str:
        """One run's scores in a line."""
        if result.error:
            return f"failed: {result.error}"
        figures = ((COLUMNS[name], result.figures.get(name)) for name in self.columns())
        return ", ".join(
            f"{column.title} {value:.{column.decimals}f}" for column, value in figures if value is not None
        )

    def header(self) -> list[str]:
        """The headings; a column of published figures follows the one that it belongs to."""
        found = ["variant"]
        for name in self.columns():
            found.append(COLUMNS[name].title)
            if self._has_published(name):
                found.append("published")
        return found

    def lines(self) -> list[list[str]]:
        """The cells of all rows, as text."""
        return [self._line(row) for row in self.study.all_rows()]

    def _line(self, row: Row) -> list[str]:
        results = self.of(row)
        good = sum(not result.error for result in results)
        partly = f" ({good} of {len(results)} seeds)" if 0 < good < len(results) else ""
        found = [row.label + partly]
        for name in self.columns():
            cell, decimals = self.cell(row, name), COLUMNS[name].decimals
            found.append(cell.text(decimals) if cell else "failed" if results and not good else "")
            if self._has_published(name):
                found.append(f"{row.published[name]:g}" if name in row.published else "")
        return found

    def _has_published(self, column: str) -> bool:
        return any(column in row.published for row in self.study.all_rows())

    def notes(self) -> list[str]:
        """What stands under the table: what was run, how it is to be read, on what; and what has failed."""
        good = [result for result in self.results if not result.error]
        failures = [f"Failed: {result.row.label}, seed {result.seed}: {result.error}." for result in self.failed()]
        return [self._subject(good), *self._legend(), *(_origin(good) if good else ()), *failures]

    def _subject(self, good: Sequence[Result]) -> str:
        layers = f" with {', '.join(self.given['overlays'])}" if self.given["overlays"] else ""
        changes = f", {' '.join(self.given['overrides'])}" if self.given["overrides"] else ""
        lists = _distinct(_list(result.about) for result in good)
        seeds = sorted({result.seed for result in good})
        spread = "mean ± sample standard deviation over seeds" if len(seeds) > 1 else "seed"
        over = f"{lists}; {spread} {', '.join(map(str, seeds))}" if good else "no finished run"
        return f"`{self.study.name}`{layers}{changes} on {short_source(self.given['data'])}, {over}."

    def _legend(self) -> list[str]:
        texts = [text for part, text in LEGEND.items() if any(part in name for name in self.columns())]
        photos = "scored" if any(result.about.get("scored") for result in self.results) else "training"
        scores = f"mIoU in % over the labels present, maps and pseudo masks on the {photos} list"
        published = ["published: by the papers, on their data and networks"] if "published" in self.header() else []
        return [f"{'; '.join([scores, *texts, *published])}."]


def _list(about: Mapping[str, Any]) -> str:
    scored = f", scored on {about['scored']}" if about["scored"] else ""
    return f"{about['list']} ({about['images']} photos){scored}"


def _origin(good: Sequence[Result]) -> list[str]:
    abouts = [result.about for result in good]
    masks = _distinct(about["chosen_with_masks"] for about in abouts)
    machines = _distinct(f"{about['machine']}, {about['threads']} threads" for about in abouts)
    dates = sorted({about["date"] for about in abouts})
    versions = _distinct(about["weakseg"] for about in abouts)
    return [
        *([f"Chosen with masks: {masks}."] if masks != "nothing" else []),
        f"{machines}; weakseg {versions}; {' to '.join(dict.fromkeys((dates[0], dates[-1])))}.",
    ]


def short_source(spec: str) -> str:
    """A data source without the folders above it: tables are read elsewhere."""
    scheme, _, rest = spec.partition(":")
    return f"{scheme}:{Path(rest).name}" if rest and scheme != "scenes" else spec


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))
