"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SOURCES = (
    "A folder, table or file of photos with tags: voc:, csv:, folders:, coco:, labelstudio: or cvat:PATH, or the path "
    "alone; or scenes[:N]"
)
DataOption = Annotated[str, typer.Option("--data", help=f"{SOURCES}.")]
OutOption = Annotated[Path, typer.Option("--out", help="Directory to write to.")]
PredictionsOption = Annotated[
    Path, typer.Option("--out", help="Masks go to OUT/masks, or to OUT itself where it is called masks.")
]
