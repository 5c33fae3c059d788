"""Recipes, overlays and studies as `weakseg recipes` lists and prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

from weakseg.errors import one_of
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.shipped import overlay_files, recipe_files
from weakseg.settings import field_help

out = Console(markup=False, emoji=False)  # file names may hold brackets and colons


@dataclass(frozen=True)
class Names:
    """What there is of one kind.

    Attributes:
        kind: "recipes", "overlays" or "studies".
        use: the option or command that takes one; empty where that is plain.
        described: what each is, by name.
    """

    kind: str
    use: str
    described: Mapping[str, str]

    def show(self) -> None:
        """Print them as a table."""
        title = f"{self.kind} ({self.use})" if self.use else self.kind
        table = Table(title=title, box=None, title_justify="left", show_header=False)
        for row in self.described.items():
            table.add_row(*row)
        out.print(table)


@dataclass(frozen=True)
class Catalogue:
    """All that can be run.

    Attributes:
        kinds: recipes, overlays, studies.
    """

    kinds: Sequence[Names]

    def show(self) -> None:
        """Print a table of each kind."""
        for each in self.kinds:
            each.show()

    def as_json(self) -> dict[str, Any]:
        """By kind and name, what each is."""
        return {each.kind: dict(each.described) for each in self.kinds}


def list_recipes() -> list[Names]:
    """The recipes and overlays with what they are."""
    kinds = (("recipes", "", recipe_files()), ("overlays", "--with", overlay_files()))
    return [Names(kind, use, {name: _described(file) for name, file in files.items()}) for kind, use, files in kinds]


def _described(file: Traversable) -> str:
    text = file.read_text(encoding="utf-8")
    described: str = (yaml.safe_load(text) or {}).get("description", _first_comment(text))
    return described


def _first_comment(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return line.removeprefix("#").strip() if line.startswith("#") else ""


@dataclass(frozen=True)
class Written:
    """A recipe, overlay or study as it is written.

    Attributes:
        name: of it.
        text: its file.
    """

    name: str
    text: str

    def show(self) -> None:
        """Print it, with colours on a terminal."""
        if out.is_terminal:
            out.print(Syntax(self.text, "yaml", background_color="default"))
        else:
            print(self.text, end="")

    def as_json(self) -> dict[str, Any]:
        """Its text, and what that says."""
        return {"name": self.name, "text": self.text, "content": yaml.safe_load(self.text)}


def written_recipe(name: str) -> Written:
    """A recipe or overlay as it is shipped, or a file of one.

    Raises:
        WeaksegError: there is none of that name.
    """
    files: dict[str, Any] = {**recipe_files(), **overlay_files()}
    if name.endswith((".yaml", ".yml")) and Path(name).is_file():
        files[name] = Path(name)
    if name not in files:
        raise one_of("recipe or overlay", name, files)
    return Written(name, files[name].read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Settings:
    """Every setting of a recipe.

    Attributes:
        name: of the recipe.
        rows: key, value as an override writes it, and meaning of each.
    """

    name: str
    rows: Sequence[tuple[str, str, str]]

    def show(self) -> None:
        """Print them, ready to be changed and given to `run`."""
        for key, value, text in self.rows:
            out.print(f"{key}={value}", style="bold", highlight=False, soft_wrap=True)
            out.print(Padding(text, (0, 0, 0, 4)), highlight=False)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        rows = [{"key": key, "value": yaml.safe_load(value), "meaning": text} for key, value, text in self.rows]
        return {"name": self.name, "settings": rows}


def settings_of(name: str, overlays: Sequence[str] = (), overrides: Sequence[str] = ()) -> Settings:
    """Every setting of a recipe with overlays and overrides. Raises WeaksegError for what there is not."""
    return Settings(name, list(recipe_settings(load_recipe(name, overlays, overrides))))


def recipe_settings(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Key, value and meaning of every setting that a recipe can have."""
    for name, field in type(recipe).model_fields.items():
        value = getattr(recipe, name)
        if is_dataclass(value):
            yield from _section(name, value)
        else:
            yield name, written(value), field.description or ""


def _section(key: str, section: Any) -> Iterator[tuple[str, str, str]]:
    texts = field_help(type(section))
    for field in fields(section):
        value = getattr(section, field.name)
        if is_dataclass(value):
            yield from _section(f"{key}.{field.name}", value)
        else:
            yield f"{key}.{field.name}", written(value), texts[field.name]


def written(value: Any) -> str:
    """A value as YAML and overrides write it."""
    listed = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(listed, default_flow_style=True, width=1000).splitlines()[0]
