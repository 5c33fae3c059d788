"""Label any number of photos with the network of a run: open, go on with what is there, do the rest, count."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from weakseg.errors import WeaksegError, one_of
from weakseg.labelling.engines import Engine, Work, Workers, label_here
from weakseg.labelling.index import FOLDER, part_name
from weakseg.labelling.job import begin, done_parts, job_of, rows_of, save
from weakseg.labelling.photos import SHARDS, Photos, open_photos
from weakseg.labelling.sinks import Task
from weakseg.labelling.storage import Output
from weakseg.labelling.tally import Tally
from weakseg.pipeline.newphotos.network import read_network
from weakseg.pipeline.rundir.run import now
from weakseg.training.progress import bar, say

PER_PART = 200
"""Photos that are done together unless shards say otherwise: what is lost at most where a worker dies."""
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Labelled:
    """What a call has left.

    Attributes:
        output: the folder.
        run: the directory of the network.
        tally: of all photos, also of those that earlier calls have done.
        before: how many photos earlier calls have done.
        shards: whether the masks are in tar shards.
        missing: what was no photo to begin with, one line each.
    """

    output: Output
    run: Path
    tally: Tally
    before: int
    shards: bool
    missing: tuple[str, ...]


def label(
    run: Path,
    data: str,
    out: str,
    *,
    engine: str = "local",
    split: str | None = None,
    shards: int | None = None,
    part: int | None = None,
    workers: Workers | None = None,
    retry: bool = False,
) -> Labelled:
    """Write a mask of every photo, and the index of all of them; the same call goes on after an interruption.

    Args:
        run: directory of a finished run with a segmentation network.
        data: the photos; see `weakseg.labelling.photos.open_photos`.
        out: folder, or URL of one.
        engine: "local" or "ray".
        split: of a data source, the photos of this list alone.
        shards: write tar shards of at most so many masks instead of a PNG file each.
        part: photos that are done together; with ``shards`` as many as a shard has.
        workers: how many do the work.
        retry: do the parts again that have left photos out.

    Raises:
        WeaksegError: no such run or photos, an ``out`` that holds something else, or no photo could be read.
    """
    do = _engine(engine)
    if part is not None and (shards is not None or data.startswith(SHARDS)):
        raise WeaksegError("label: --part is of single photos and files; shards are parts themselves, leave it away")
    output = Output(out)
    output.check()
    per_part = shards or part or PER_PART
    network = read_network(run)
    photos = open_photos(data, per_part, split=split, levels=network.levels)
    task = Task(output.absolute(), shards, several=photos.count is None)
    record = begin(job_of(network, photos, task, per_part), output, network.classes)
    tally, numbers = _gone_on(output, photos, retry)
    before = tally.photos
    if numbers:
        _do(do, Work(numbers, photos, task, network, workers or Workers()), tally)
    if not tally.masks:
        raise WeaksegError(f"none of {tally.left_out} images could be read; the first: {(*tally.reasons, 'none')[0]}")
    if numbers or not record["finished"]:
        save(output, record | {"finished": now(), "masks": tally.masks, "left_out": tally.left_out})
    return Labelled(output, run, tally, before, shards is not None, photos.missing)


def _engine(name: str) -> Engine:
    if name not in ENGINES:
        raise one_of("engine", name, ENGINES)
    if name == "local":
        return label_here
    found: Engine = import_module("weakseg.labelling.raycluster").label_with_ray
    return found


def _gone_on(output: Output, photos: Photos, retry: bool) -> tuple[Tally, list[int]]:
    """What earlier calls have done, and the parts that are left to do."""
    tally, done = Tally(), done_parts(output)
    for number, rows in rows_of(output, sorted(done)):
        if retry and any(row.left_out is not None for row in rows):
            output.remove(f"{FOLDER}/{part_name(number)}")
            done.remove(number)
        else:
            tally.count(rows)
    if tally.photos:
        say(f"label: {tally.photos} photos were done before")
    return tally, [number for number in range(photos.parts) if number not in done]


def _do(engine: Engine, work: Work, tally: Tally) -> None:
    photos = work.photos
    known = photos.count is not None
    total, unit = (photos.count or 0, "img") if known else (photos.parts, "shard")
    done = tally.photos if known else photos.parts - len(work.numbers)
    with bar("label", total, unit=unit, done=done) as running:

        def advance(count: int) -> None:
            if known:
                running.advance(count)

        for found in engine(work, advance):
            tally.add(found)
            if not known:
                running.advance()
