"""Studies by name: those that are shipped, files, and what ``--vary key=a,b,c`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from weakseg.errors import WeaksegError, one_of
from weakseg.recipes.shipped import recipe_files
from weakseg.report.listing import Names, Written
from weakseg.studies.study import Row, Study, short_names


def study_files() -> dict[str, Traversable]:
    """The shipped studies by name."""
    root = resources.files("weakseg") / "recipes" / "studies"
    return {entry.name[:-5]: entry for entry in sorted(root.iterdir(), key=str) if entry.name.endswith(".yaml")}


def find_study(name: str, vary: Sequence[str]) -> Study:
    """The study that a command line names.

    Args:
        name: of a shipped study, a study's YAML file, or a recipe's name or file.
        vary: ``key=a,b,c`` texts, for a recipe.

    Raises:
        WeaksegError: no such thing, nothing to vary, or both a study and ``vary``.
    """
    shipped, recipes = study_files(), recipe_files()
    if name.endswith((".yaml", ".yml")):
        tree = read_tree(Path(name))
    elif name in shipped:
        tree = read_tree(shipped[name])
    elif name in recipes:
        tree = {}
    else:
        raise one_of("recipe or study", name, [*recipes, *shipped])
    if "rows" not in tree and "vary" not in tree:
        return _varied(name, vary)
    if vary:
        raise WeaksegError(f"{name} is a study, which says itself what it varies; leave --vary out or name a recipe")
    return parse_study(tree, name)


def read_tree(file: Traversable | Path) -> dict[str, Any]:
    """The keys of a YAML file. Raises WeaksegError if it cannot be read."""
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeaksegError(f"{file}: not a readable YAML file ({reason})") from error
    if not isinstance(tree, dict):
        raise WeaksegError(f"{file}: a study is a tree of keys; see `weakseg recipes affinitynet-beta`")
    return tree


def parse_study(tree: Mapping[str, Any], name: str) -> Study:
    """Check a study's keys. Raises WeaksegError naming the first wrong one."""
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "study"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            fields = Row if len(first["loc"]) > 1 else Study
            message = f"unknown key; available there: {', '.join(fields.model_fields)}"
        raise WeaksegError(f"{name}: {key}: {message}") from error


def _varied(recipe: str, vary: Sequence[str]) -> Study:
    if not vary:
        example = "--vary localize.stride=4,8"
        studies = ", ".join(study_files())
        raise WeaksegError(f"{recipe}: nothing to vary; say what, as {example}, or name a study: {studies}")
    grid: dict[str, list[str]] = {}
    for text in vary:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise WeaksegError(f"--vary {text!r}: must be key.path=a,b,c, as refine.walk.beta=4,8,16")
        if key == "seed" or key in grid:
            raise WeaksegError(f"--vary {key}: " + ("--seeds says how many" if key == "seed" else "given twice"))
        grid[key] = split_values(values)
    name = "-".join([Path(recipe).stem, *short_names(grid).values()])
    return parse_study({"name": name, "recipe": recipe, "vary": grid}, "--vary")


def split_values(text: str) -> list[str]:
    """Split at commas outside brackets and quotes.

    Example:
        >>> split_values("[1.0],[0.5,1.0],null")
        ['[1.0]', '[0.5,1.0]', 'null']

    Raises:
        WeaksegError: an empty value, or a bracket or quote that is not closed.
    """
    values, depth, quote = [""], 0, ""
    for sign in text:
        if sign == "," and not depth and not quote:
            values.append("")
            continue
        values[-1] += sign
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += (sign in "[{") - (sign in "]}")
        if depth < 0:
            break
    values = [value.strip() for value in values]
    if depth or quote:
        raise WeaksegError(f"--vary ...={text}: a bracket or quote is not closed")
    if not all(values):
        raise WeaksegError(f"--vary ...={text}: a value is empty; write null for none")
    return values


def list_studies() -> Names:
    """The shipped studies with what they repeat."""
    described = {name: str(read_tree(file).get("description", "")) for name, file in study_files().items()}
    return Names("studies", "weakseg ablate", described)


def written_study(name: str) -> Written:
    """A study as it is shipped."""
    return Written(name, study_files()[name].read_text(encoding="utf-8"))
