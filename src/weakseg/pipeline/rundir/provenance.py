"""Of which photos a run was made: the check that a directory is not given those of another data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weakseg.data.sample import Sample, Source, file_of
from weakseg.errors import WeaksegError
from weakseg.files import read_json, write_json
from weakseg.pipeline.inputs import photo_contents
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import warn

PHOTOS = "photos.json"
FILES = "inputs.files.json"


def check_photos(run: Run, recipe: Recipe, source: Source, *, overwrite: bool) -> None:
    """Refuse a directory whose run was made of other photos.

    Photos may be added, removed or corrected; if fewer than half of the earlier ones are left, by their contents, they
    are other photos, and what the run has made of the earlier ones would be lost.

    Args:
        run: the directory.
        recipe: names the lists.
        source: the photos.
        overwrite: whether that is wanted.

    Raises:
        WeaksegError: naming both sources and the ways out.
    """
    earlier: dict[str, Any] | None = read_json(run.folder / PHOTOS)
    if earlier is None or overwrite:
        return
    before, now = set(earlier["photos"]), set(_photos(recipe, source))
    kept = len(before & now)
    if 2 * kept < len(before):
        raise WeaksegError(
            f"{run.folder}: holds a run on {earlier['data']} with other photos: {kept} of its {len(before)} are in "
            f"{source.spec}; choose another --out, or lose that run with --overwrite"
        )
    if kept < len(before):
        gone = len(before) - kept
        warn(
            f"data: of the {len(before)} photos that this run was made of {gone} {'is' if gone == 1 else 'are'} gone "
            "or changed; what depends on them is made anew (Ctrl-C now, and bring them back, to keep it)"
        )


def write_photos(run: Run, recipe: Recipe, source: Source, drawn: Iterable[Path] = ()) -> None:
    """Keep of which photos the run is made, and what is known of the files, ``drawn`` masks among them."""
    write_json(run.folder / PHOTOS, {"data": source.spec, "photos": sorted(set(_photos(recipe, source)))})
    CONTENTS.save(run.folder / FILES, [*_files(recipe, source), *drawn])


def _splits(recipe: Recipe, source: Source) -> list[str]:
    return [split for split in (recipe.data.train, recipe.data.val) if len(source.splits.get(split, ()))]


def _photos(recipe: Recipe, source: Source) -> list[str]:
    return [
        content for split in _splits(recipe, source) for content in photo_contents(source.image_set(split)).values()
    ]


def _files(recipe: Recipe, source: Source) -> list[Path]:
    samples: list[Sample] = [sample for split in _splits(recipe, source) for sample in source.splits[split]]
    files = (file_of(content) for sample in samples for content in (sample.image, sample.mask))
    return list(dict.fromkeys(file for file in files if file is not None))
