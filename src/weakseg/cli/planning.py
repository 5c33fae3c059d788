"""plan: a recipe fitted to photos and machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.options import SOURCES


def plan(
    source: Annotated[str, typer.Argument(help=f"{SOURCES}.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ..., over the plan")] = None,
    recipe: Annotated[str, typer.Option(help="The system to be planned: a name or a YAML file.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; by default it is printed.")] = None,
) -> None:
    """Fit a recipe to your photos and this machine: sizes, steps, batches, each with its reason. No mask is read.

    As `weakseg plan photos.csv --out plan.yaml`, then `weakseg run plan.yaml --data photos.csv --out runs/photos`.
    """
    from weakseg.data.source import open_source
    from weakseg.files import replacing
    from weakseg.planning.plan import make_plan

    text = make_plan(open_source(source), recipe=recipe, overrides=overrides or []).to_yaml()
    if out is None:
        print(text, end="")
        return
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"wrote {out}; run it with: weakseg run {out} --data {source} --out DIRECTORY")
