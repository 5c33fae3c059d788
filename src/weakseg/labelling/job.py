"""The record of a labelling job: what makes its outputs what they are, and which parts are done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from weakseg import __version__
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.labelling.index import FOLDER, Row, read_part
from weakseg.labelling.photos import Photos
from weakseg.labelling.sinks import MASKS, SHARDS, Task
from weakseg.labelling.storage import Output
from weakseg.pipeline.newphotos.network import StoredNetwork
from weakseg.pipeline.newphotos.predictions import CLASSES, LABELLED
from weakseg.pipeline.rundir.run import digest, file_hash, now

RECORD = LABELLED
_THREADS = 16


@dataclass(frozen=True)
class Job:
    """What decides the outputs of a job; all of it must be the same where an earlier call is gone on with.

    Attributes:
        network: a hash of the trained weights, and of how photos are looked at.
        photos: a hash of the photos' ids, or of the shards' names.
        parts: how many there are.
        per_part: photos of a part; 0 for tar shards.
        per_shard: masks of a tar shard; None for files.
    """

    network: str
    photos: str
    parts: int
    per_part: int
    per_shard: int | None


_SAID = {
    "network": "another network, or another way to look at photos",
    "photos": "other photos",
    "per_shard": "another --shards",
    "per_part": "another --part",
    "parts": "other photos",
}


def job_of(network: StoredNetwork, photos: Photos, task: Task, per_part: int) -> Job:
    """The job of labelling photos with a network."""
    recipe = network.recipe
    looks = [asdict(recipe.predict), recipe.data.long_side, network.levels, network.classes.values]
    parted = per_part if photos.count is not None else 0
    return Job(digest([file_hash(network.file), looks]), photos.digest, photos.parts, parted, task.per_shard)


def begin(job: Job, output: Output, classes: Classes) -> dict[str, Any]:
    """Write the record of a job, or check that the one there is of the same job.

    Args:
        job: to begin, or to go on with.
        output: its folder.
        classes: of the masks.

    Returns:
        the record.

    Raises:
        WeaksegError: the folder holds something else.
    """
    content = output.read(RECORD)
    if content is None:
        there = [name for name in (FOLDER, MASKS, SHARDS) if output.names(name)]
        if there:
            raise WeaksegError(f"{output.url}: holds {there[0]} of no `weakseg label`; choose another --out")
        fresh: dict[str, Any] = {"weakseg": __version__, "begun": now(), "finished": None, **asdict(job)}
        output.write(CLASSES, classes.listed().encode())
        save(output, fresh)
        return fresh
    try:
        record: dict[str, Any] = json.loads(content)
        others = [said for name, said in _SAID.items() if record[name] != getattr(job, name)]
    except (ValueError, KeyError, TypeError) as error:
        raise WeaksegError(f"{output.url}/{RECORD}: not the record of `weakseg label`; choose another --out") from error
    if others:
        raise WeaksegError(f"{output.url}: was begun with {others[0]}; choose another --out, or delete that one")
    return record


def save(output: Output, record: dict[str, Any]) -> None:
    """Write the record."""
    output.write(RECORD, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())


def done_parts(output: Output) -> set[int]:
    """The numbers of the parts that are done."""
    names = (re.fullmatch(r"(\d{6,})\.parquet", name) for name in output.names(FOLDER))
    return {int(found[1]) for found in names if found}


def rows_of(output: Output, parts: Iterable[int]) -> Iterable[tuple[int, list[Row]]]:
    """The rows of parts that are done, in no order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        numbers = list(parts)
        for number, rows in zip(numbers, pool.map(lambda number: read_part(output, number), numbers), strict=True):
            yield number, rows or []
