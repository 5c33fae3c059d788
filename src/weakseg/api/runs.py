"""Open data, run a recipe, open and export what came out."""

from __future__ import annotations

import os
from pathlib import Path

from weakseg.data.source import Source, open_source
from weakseg.errors import WeaksegError
from weakseg.exporters import command
from weakseg.exporters.base import Photos, What
from weakseg.exporters.command import Written
from weakseg.recipes.recipe import Recipe
from weakseg.report.finished import FinishedRun
from weakseg.report.run import run_and_draw

Folder = str | os.PathLike[str]


def open_data(spec: str | Path) -> Source:
    """Open a data source.

    Args:
        spec: "voc:PATH", "csv:FILE", "folders:PATH", "coco:PATH", "scenes:N" and others, or a path alone.

    Returns:
        ``classes``, ``splits`` (samples by list), and ``warnings``: what looks like a slip.

    Raises:
        WeaksegError: no such source, or what stands there is not of that kind.
    """
    if not isinstance(spec, (str, Path)):
        raise WeaksegError(f"a data source is a text such as 'csv:photos.csv', or a path, not {spec!r}")
    return open_source(str(spec))


def run(recipe: Recipe, data: str | Path | Source, out: str | Path, *, overwrite: bool = False) -> FinishedRun:
    """Run a recipe; the same call goes on after an interruption, and costs little where all is done.

    Args:
        recipe: of ``weakseg.load_recipe``.
        data: of `open_data`, or the string that it takes.
        out: directory of the run.
        overwrite: start afresh, whatever run ``out`` holds.

    Raises:
        WeaksegError: data or settings that cannot be used; the message names the way out.
    """
    if not isinstance(recipe, Recipe):
        raise WeaksegError(f"run: the recipe must come from weakseg.load_recipe, not {recipe!r}")
    source = data if isinstance(data, Source) else open_data(data)
    run_and_draw(recipe, source, Path(out), overwrite=overwrite)
    return open_run(out)


def open_run(folder: Folder, data: str | None = None) -> FinishedRun:
    """Open the directory of a run.

    Args:
        folder: of the run.
        data: the source that has its photos now; None for where they were.

    Raises:
        WeaksegError: there is no finished run.
    """
    found = FinishedRun(Path(folder), data)
    if found.manifest.get("finished") is None:
        raise WeaksegError(f"{folder}: the run is not finished; the command that began it goes on with it")
    return found


def export(
    run: FinishedRun | Folder,
    to: str,
    out: Folder | None = None,
    *,
    what: What | None = None,
    data: str | None = None,
    photos: Photos | None = None,
    whole: bool = False,
    url: str | None = None,
    reviews: Folder | None = None,
    overwrite: bool = False,
) -> Written:
    """Write masks, or the trained network, in the format of another tool, as ``weakseg export`` does.

    Args:
        run: a run, its directory, or a folder that ``weakseg predict`` has written.
        to: "coco", "voc", "cvat", "label-studio", "yolo", "png", "onnx", or a format that another package adds.
        out: a new folder to write to; by default RUN/export/TO, or beside the folder of predictions.
        what: of a run: "masks" of its training photos (the default), or "predictions" for its validation photos.
        data: the source that has the run's photos now; None for where they were.
        photos: "copy" brings them along, "stay" does not; None for what the format needs.
        whole: one region per class, even where the run has found objects one by one.
        url: for "label-studio": the address below which the photos are served.
        reviews: of a run: a file of reviews, whose corrected masks are written in place of the run's.
        overwrite: replace an earlier export.

    Returns:
        where it is, counts, files, and notes of what the format loses.

    Raises:
        WeaksegError: nothing of the kind there, a missing extra, or a folder that holds something else.
    """
    if not isinstance(run, (FinishedRun, str, os.PathLike)):
        raise WeaksegError(f"export: give a run of weakseg.open_run, or the path of a folder, not {run!r}")
    opened = run if isinstance(run, FinishedRun) else FinishedRun(Path(run))
    return command.export(
        opened.folder,
        to,
        None if out is None else Path(out),
        what=what,
        data=data or opened.data,
        photos=photos,
        whole=whole,
        url=url,
        reviews=None if reviews is None else Path(reviews),
        overwrite=overwrite,
    )
