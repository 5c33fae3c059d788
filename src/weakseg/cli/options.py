"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.recipes.shipped import overlay_files, recipe_files

SOURCES = (
    "A folder, table or file of photos with tags: voc:, csv:, folders:, coco:, labelstudio:, cvat:, camvid: or "
    "cityscapes:PATH, or the path alone; or scenes[:N]"
)


def complete_recipes(incomplete: str) -> list[str]:
    """The shipped recipes whose names begin with what was typed, for a shell."""
    return [name for name in recipe_files() if name.startswith(incomplete)]


def complete_overlays(incomplete: str) -> list[str]:
    """Likewise the shipped overlays."""
    return [name for name in overlay_files() if name.startswith(incomplete)]


DataOption = Annotated[str, typer.Option("--data", help=f"{SOURCES}.")]
OutOption = Annotated[Path, typer.Option("--out", help="Directory to write to.")]
OverlaysOption = Annotated[
    list[str] | None,
    typer.Option("--with", autocompletion=complete_overlays, help="Overlay by name or file; repeatable."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but warnings and the result.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object; all else goes to standard error.")
]
PredictionsOption = Annotated[
    Path, typer.Option("--out", help="Masks go to OUT/masks, or to OUT itself where it is called masks.")
]
