"""data, recipes and words: what there is to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weakseg.cli.answers import answer
from weakseg.cli.options import SOURCES, JsonOption, QuietOption, complete_overlays, complete_recipes
from weakseg.errors import WeaksegError
from weakseg.training.progress import quietly


def data(
    source: Annotated[str, typer.Argument(help=f"{SOURCES}.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """List a data source: images, tags, splits, and files that are missing or broken."""
    from weakseg.report.datalist import list_source

    with quietly(quiet):
        found = list_source(source)
    answer(found, as_json)
    if found.error is not None:
        raise found.error


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe, overlay or study.", autocompletion=complete_recipes)
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="With --settings: key.path=value ...")] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print every setting of a recipe with its value and meaning.")
    ] = False,
    overlays: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help="With --settings: overlay by name or file; repeatable.", autocompletion=complete_overlays
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, overlays and studies, or print one."""
    from weakseg.report import listing
    from weakseg.studies.find import list_studies, study_files, written_study

    if settings and name is None:
        raise WeaksegError("recipes: --settings is of a recipe; give its name, as `weakseg recipes irnet --settings`")
    if (overlays or overrides) and not settings:
        raise WeaksegError("recipes: --with and key.path=value go with --settings, which prints what they make")
    with quietly(quiet):
        if name is None:
            answer(listing.Catalogue([*listing.list_recipes(), list_studies()]), as_json)
        elif settings:
            answer(listing.settings_of(name, overlays or [], overrides or []), as_json)
        elif name in study_files():
            answer(written_study(name), as_json)
        else:
            answer(listing.written_recipe(name), as_json)


def words(
    run: Annotated[Path, typer.Argument(help="Directory of a run of VWE or VWL.")],
    out: Annotated[Path | None, typer.Option("--out", help="Directory to write to; by default RUN/words.")] = None,
    per_class: Annotated[int, typer.Option(help="Words to draw of each class, those of the most pixels.")] = 8,
    patches: Annotated[int, typer.Option(help="Patches to show of each word.")] = 8,
    photos: Annotated[int, typer.Option(help="Training photos to look at, spread over the list.")] = 500,
    agreement: Annotated[float, typer.Option(help="Words whose patches agree less than this are marked.")] = 0.75,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the visual words of a run: the patches nearest to each, by class, with a mark where they do not agree."""
    from weakseg.report.words.draw import draw_words

    with quietly(quiet):
        found = draw_words(run, out, words=per_class, patches=patches, photos=photos, agreement=agreement)
    answer(found, as_json)
