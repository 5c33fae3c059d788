"""Masks and tags of Label Studio's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weakseg.data.sample import Array, Classes
from weakseg.data.sources.labelstudio import Task, named, read_tasks
from weakseg.errors import WeaksegError
from weakseg.exporters.formats.brush import decode_brush
from weakseg.exporters.incoming.returned import Draw, Returned, Returns, label_of, paint


def read_labelstudio_masks(path: Path) -> Returns:
    """Read brush regions as masks and choices as tags; of each task the annotation that was changed last.

    Tasks that nobody has finished say nothing. A task whose file has brush regions anywhere, but none itself, is all
    background.

    Raises:
        WeaksegError: it is not Label Studio's JSON.
    """
    tasks = read_tasks(path)
    done = [task for task in tasks if task.results is not None]
    drawn = any(_brushed(task) for task in done)
    chosen = any(_is(result, "choices") for task in done for result in task.results or ())
    other = sum(not (_is(result, "choices") or _is(result, "brushlabels")) for t in done for result in t.results or ())
    photos = []
    for task in done:
        names = ((task.id,) if task.id else ()) + task.names
        choices = [name for result in task.results or () if _is(result, "choices") for name in named(result)]
        draw: Draw | None = _empty if drawn else None
        if _brushed(task):
            draw = partial(_drawn, where=task.where, results=_brushed(task))
        photos.append(Returned(task.where, names, draw, tuple(dict.fromkeys(choices)) if chosen else None))
    open_tasks = len(tasks) - len(done)
    notes = [f"{open_tasks} tasks have no finished annotation and say nothing"] if open_tasks else []
    notes += [f"{other} results are neither brush regions nor choices and are not read"] if other else []
    return Returns("Label Studio's JSON", photos, tuple(notes))


def _is(result: Mapping[str, Any], kind: str) -> bool:
    return str(result.get("type", "")).lower() == kind


def _brushed(task: Task) -> list[Mapping[str, Any]]:
    return [result for result in task.results or () if _is(result, "brushlabels")]


def _empty(classes: Classes) -> None:
    """A mask of background."""


def _drawn(classes: Classes, where: str, results: Sequence[Mapping[str, Any]]) -> Array:
    try:
        size = int(results[0]["original_height"]), int(results[0]["original_width"])
        labels = np.zeros(size, np.uint8)
        for result in results:
            own = int(result["original_height"]), int(result["original_width"])
            mask = decode_brush(result["value"]["rle"], own)
            for name in named(result):
                paint(labels, mask, label_of(name, classes, where), where)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WeaksegError(f"{where}: a brush region that cannot be read ({error})") from error
    return labels
