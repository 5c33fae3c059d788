"""A study: the rows of an ablation and the columns of its table."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from weakseg.errors import one_of
from weakseg.recipes.stages import StageName
from weakseg.studies.columns import COLUMNS


def _known(name: str) -> str:
    if name not in COLUMNS:
        raise ValueError(f"unknown column {name!r}; available: {', '.join(COLUMNS)}")
    return name


ColumnName = Annotated[str, AfterValidator(_known)]
Settings = tuple[str, ...]
"""``key.path=value`` texts."""
Grid = dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]]
"""Values by key; every combination is a row."""


class _Section(BaseModel):
    """A part of a study: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Section):
    """One row of the table: a recipe and what is set in it.

    Attributes:
        label: first cell of the row.
        recipe: name or file; by default the study's.
        set: overrides, on top of those of the study and of the command line.
        published: the paper's figures, by column.
    """

    label: Annotated[str, Field(min_length=1)]
    recipe: str = ""
    set: Settings = ()
    published: dict[ColumnName, float] = Field(default={})

    @property
    def folder(self) -> str:
        """The label as a folder's name."""
        return re.sub(r"[^\w.=+-]+", "_", re.sub(r"[\[\](){}'\"*]", "", self.label)).lstrip("+_.") or "_"


class Study(_Section):
    """What an ablation runs and prints.

    Attributes:
        name: of the study, its folder and its table.
        description: what it repeats (paper, table or figure).
        recipe: of the rows that name none.
        set: overrides of every row, before those of the command line.
        stages: which of the recipes' stages are run; by default all.
        columns: keys of ``COLUMNS``; by default what there is.
        rows: one by one, or
        vary: a grid of values, or several grids one after the other.
        published: the paper's figures for ``vary``, by column, in the order of the rows; null for none.
    """

    name: Annotated[str, Field(pattern=r"^[\w.,=+-]+$")]
    description: str = ""
    recipe: str = ""
    set: Settings = ()
    stages: tuple[StageName, ...] = ()
    columns: tuple[ColumnName, ...] = ()
    rows: tuple[Row, ...] = ()
    vary: Annotated[tuple[Grid, ...], BeforeValidator(lambda grid: (grid,) if isinstance(grid, dict) else grid)] = ()
    published: dict[ColumnName, tuple[float | None, ...]] = Field(default={})

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if bool(self.rows) == bool(self.vary):
            raise ValueError("a study has either rows or vary")
        if self.published and self.rows:
            raise ValueError("published belongs to vary; rows have their own")
        rows = self.all_rows()
        for column, figures in self.published.items():
            if len(figures) != len(rows):
                raise ValueError(f"published.{column} has {len(figures)} figures for {len(rows)} rows")
        if not all(row.recipe for row in rows):
            raise ValueError("recipe is missing: of the study, or of every row")
        folder, count = Counter(row.folder for row in rows).most_common(1)[0]
        if count > 1:
            raise ValueError(f"{count} rows are called {folder}; labels and values must differ")
        return self

    def all_rows(self) -> tuple[Row, ...]:
        """The rows, those of ``vary`` written out."""
        if self.rows:
            return tuple(row.model_copy(update={"recipe": row.recipe or self.recipe}) for row in self.rows)
        short = short_names({key for grid in self.vary for key in grid})
        found: list[Row] = []
        for grid in self.vary:
            for values in product(*grid.values()):
                pairs = [(key, _text(value)) for key, value in zip(grid, values, strict=True)]
                label = ", ".join(f"{short[key]}={text}" for key, text in pairs)
                settings = tuple(f"{key}={text}" for key, text in pairs)
                found.append(Row(label=label, recipe=self.recipe, set=settings, published=self._figures(len(found))))
        return tuple(found)

    def only(self, labels: Sequence[str]) -> Study:
        """The study with some of its rows, in its own order; with all for no labels.

        Raises:
            WeaksegError: a label that no row has.
        """
        rows = self.all_rows()
        for label in labels:
            if label not in [row.label for row in rows]:
                raise one_of(f"row of {self.name}", label, (repr(row.label) for row in rows))
        chosen = tuple(row for row in rows if row.label in labels)
        return self.model_copy(update={"rows": chosen, "vary": (), "published": {}}) if labels else self

    def _figures(self, index: int) -> dict[str, float]:
        figures = {name: column[index] for name, column in self.published.items() if index < len(column)}
        return {name: figure for name, figure in figures.items() if figure is not None}

    def keys(self) -> tuple[str, ...]:
        """The keys that the rows differ in, in order."""
        return tuple(dict.fromkeys(key_of(text) for row in self.all_rows() for text in row.set))


def key_of(override: str) -> str:
    """The key of a ``key.path=value`` text."""
    return override.partition("=")[0].strip()


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """By key, its last part, or as many parts as tell it from the others."""
    keys = list(keys)
    parts = {key: key.split(".") for key in keys}
    short: dict[str, str] = {}
    for key in keys:
        tails = (".".join(parts[key][-count:]) for count in range(1, len(parts[key]) + 1))
        short[key] = next(
            (tail for tail in tails if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1), key
        )
    return short


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
