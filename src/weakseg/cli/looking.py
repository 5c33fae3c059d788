"""data, recipes and words: what there is to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.options import SOURCES
from weakseg.errors import WeaksegError


def data(
    source: Annotated[str, typer.Argument(help=f"{SOURCES}.")],
) -> None:
    """List a data source: images, tags, splits, and files that are missing or broken."""
    from weakseg.report.datalist import list_source

    list_source(source)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe, overlay or study.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="With --settings: key.path=value ...")] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print every setting of a recipe with its value and meaning.")
    ] = False,
    overlays: Annotated[
        list[str] | None, typer.Option("--with", help="With --settings: overlay by name or file; repeatable.")
    ] = None,
) -> None:
    """List the recipes, overlays and studies, or print one."""
    from weakseg.report.listing import list_recipes, print_recipe, print_settings
    from weakseg.studies.find import list_studies, print_study, study_files

    if settings and name is None:
        raise WeaksegError("recipes: --settings is of a recipe; give its name, as `weakseg recipes irnet --settings`")
    if (overlays or overrides) and not settings:
        raise WeaksegError("recipes: --with and key.path=value go with --settings, which prints what they make")
    if settings:
        print_settings(str(name), overlays or [], overrides or [])
    elif name is None:
        list_recipes()
        list_studies()
    elif name in study_files():
        print_study(name)
    else:
        print_recipe(name)


def words(
    run: Annotated[Path, typer.Argument(help="Directory of a run of VWE or VWL.")],
    out: Annotated[Path | None, typer.Option("--out", help="Directory to write to; by default RUN/words.")] = None,
    per_class: Annotated[int, typer.Option(help="Words to draw of each class, those of the most pixels.")] = 8,
    patches: Annotated[int, typer.Option(help="Patches to show of each word.")] = 8,
    photos: Annotated[int, typer.Option(help="Training photos to look at, spread over the list.")] = 500,
    agreement: Annotated[float, typer.Option(help="Words whose patches agree less than this are marked.")] = 0.75,
) -> None:
    """Draw the visual words of a run: the patches nearest to each, by class, with a mark where they do not agree."""
    from weakseg.report.words import draw_words

    draw_words(run, out, words=per_class, patches=patches, photos=photos, agreement=agreement)
