"""plan: a recipe fitted to photos and machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import SOURCES, JsonOption, QuietOption
from weakseg.training.progress import quietly

if TYPE_CHECKING:
    from weakseg.planning.plan import Plan


def plan(
    source: Annotated[str, typer.Argument(help=f"{SOURCES}.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ..., over the plan")] = None,
    recipe: Annotated[str, typer.Option(help="The system to be planned: a name or a YAML file.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; by default it is printed.")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a recipe to your photos and this machine: sizes, steps, batches, each with its reason. No mask is read.

    Read what --out has written, change it where you know better, and run it: `weakseg run plan.yaml --data photos.csv
    --out runs/photos`.
    """
    from weakseg.data.source import open_source
    from weakseg.files import replacing
    from weakseg.planning.plan import make_plan

    with quietly(quiet):
        made = make_plan(open_source(source), recipe=recipe, overrides=overrides or [])
    if out is not None:
        with replacing(out) as temporary:
            temporary.write_text(made.to_yaml(), encoding="utf-8")
    answer(_Planned(made, source, out), as_json)


@dataclass(frozen=True)
class _Planned:
    """A plan, and the file that it was written to."""

    plan: Plan
    source: str
    file: Path | None

    def show(self) -> None:
        if self.file is None:
            print(self.plan.to_yaml(), end="")
        else:
            print(f"wrote {self.file}; run it with: weakseg run {self.file} --data {self.source} --out DIRECTORY")

    def as_json(self) -> dict[str, Any]:
        return {"file": self.file and str(self.file), "data": self.source, **self.plan.as_json()}
