"""The recipes and overlays of the package, by name. Nothing here loads torch: a shell completes their names."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


def recipe_files() -> dict[str, Traversable]:
    """The shipped recipes by name."""
    return _shipped("")


def overlay_files() -> dict[str, Traversable]:
    """The shipped overlays by name."""
    return _shipped("overlays")


def _shipped(folder: str) -> dict[str, Traversable]:
    root = resources.files("weakseg") / "recipes"
    root = root / folder if folder else root
    return {entry.name[:-5]: entry for entry in sorted(root.iterdir(), key=str) if entry.name.endswith(".yaml")}
