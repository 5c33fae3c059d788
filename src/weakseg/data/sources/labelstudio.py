"""Data source ``labelstudio:FILE.json``: the choices and labels of Label Studio's JSON as tags of whole images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from weakseg.data.paths import is_image_name, read_text
from weakseg.data.sample import Source
from weakseg.data.sources.annotations import Annotations, Tagged, open_annotations
from weakseg.errors import WeaksegError

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts in front of the names of files that are uploaded to it."""


@dataclass(frozen=True)
class Task:
    """A task of an export.

    Attributes:
        where: file and task, for messages.
        names: the image's paths to look for, the longest first.
        id: what an export of weakseg calls the photo; None for tasks from elsewhere.
        results: of the annotation that was changed last; None where nobody has finished one.
    """

    where: str
    names: tuple[str, ...]
    id: str | None
    results: Sequence[Mapping[str, Any]] | None

    def tags(self) -> tuple[str, ...] | None:
        """Choices, and labels of regions of any shape; None without an annotation."""
        if self.results is None:
            return None
        return tuple(dict.fromkeys(name for result in self.results for name in named(result)))


def open_labelstudio(options: str) -> Source:
    """Open "FILE.json" or "FILE.json,val=OTHER.json,images=FOLDER"; see `open_annotations`.

    FILE is an export as "JSON". Of several annotations of a task the one that was changed last counts, cancelled ones
    do not. Tags are its choices and the labels of its regions. Images are found by the end of their address.

    Raises:
        WeaksegError: no such file or folder, or it is not Label Studio's JSON.
    """
    return open_annotations("labelstudio", options, _read)


def _read(path: Path) -> Annotations:
    tasks = read_tasks(path)
    done = [(task, tags) for task in tasks if (tags := task.tags()) is not None]
    problems = []
    if len(done) < len(tasks):
        problems.append(f"{path}: {len(tasks) - len(done)} tasks have no finished annotation and are left out")
    shapes = sum("choices" not in result.get("value", {}) for task, _ in done for result in task.results or ())
    warnings = []
    if shapes:
        warnings.append(f"{path.name}: {shapes} regions have outlines or masks, which are not read: tags alone count")
    return Annotations([Tagged(task.names, tags) for task, tags in done], problems=problems, warnings=warnings)


def read_tasks(path: Path) -> list[Task]:
    """The tasks of an export as "JSON".

    Raises:
        WeaksegError: it is not Label Studio's JSON, or a task names no image.
    """
    try:
        entries = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise WeaksegError(f"{path} line {error.lineno}: not valid JSON ({error.msg})") from None
    fits = isinstance(entries, list) and all(isinstance(entry, dict) and "data" in entry for entry in entries)
    if not fits:
        raise WeaksegError(f"{path}: not Label Studio's list of tasks with their data; export as JSON, not JSON-MIN")
    return [_task(entry, f"{path} task {entry.get('id', number)}") for number, entry in enumerate(entries, start=1)]


def named(result: Mapping[str, Any]) -> list[str]:
    """The labels or choices of a result."""
    value = result.get("value")
    kind = str(result.get("type", "")).lower()
    if not isinstance(value, Mapping) or not (kind == "choices" or kind.endswith("labels")):
        return []
    return [str(name) for name in value.get(kind) or ()]


def image_names(address: str) -> tuple[str, ...]:
    """The paths that an image may have, from its address in Label Studio: its ends, the longest first.

    Example:
        >>> image_names("/data/local-files/?d=set/a/1.jpg")
        ('set/a/1.jpg', 'a/1.jpg', '1.jpg')
        >>> image_names("/data/upload/7/0a1b2c3d-cat.jpg")[-2:]
        ('0a1b2c3d-cat.jpg', 'cat.jpg')
    """
    split = urlsplit(address)
    local = parse_qs(split.query).get("d")
    path = local[0] if local else unquote(split.path)
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    names = ["/".join(parts[start:]) for start in range(len(parts))]
    plain = _UPLOADED.sub("", parts[-1]) if parts else ""
    return tuple(dict.fromkeys([*names, plain] if plain else names))


def _task(entry: Mapping[str, Any], where: str) -> Task:
    data = entry["data"] if isinstance(entry["data"], Mapping) else {}
    texts = {str(key): value for key, value in data.items() if isinstance(value, str)}
    found = {key: names for key, text in texts.items() if (names := image_names(text))}
    pictures = [paths for paths in found.values() if is_image_name(paths[-1])]
    chosen = found.get("image") or (pictures[0] if pictures else None)
    if chosen is None:
        raise WeaksegError(f"{where}: its data name no image")
    return Task(where, chosen, texts.get("weakseg_id"), _last(entry.get("annotations"), where))


def _last(annotations: object, where: str) -> Sequence[Mapping[str, Any]] | None:
    """The results of the annotation that was changed last."""
    if annotations is None:
        return None
    if not isinstance(annotations, list) or not all(isinstance(one, Mapping) for one in annotations):
        raise WeaksegError(f"{where}: its annotations are no list of objects; export as JSON, not JSON-MIN")
    finished = [one for one in annotations if not one.get("was_cancelled")]
    if not finished:
        return None
    newest = max(enumerate(finished), key=lambda pair: (str(pair[1].get("updated_at", "")), pair[0]))[1]
    return [result for result in newest.get("result") or () if isinstance(result, Mapping)]
