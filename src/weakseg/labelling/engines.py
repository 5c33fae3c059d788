"""Who does the parts: what every engine is given, and the engine of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from weakseg.labelling.photos import Photos
from weakseg.labelling.sinks import Task
from weakseg.labelling.tally import Tally
from weakseg.labelling.work import label_part
from weakseg.pipeline.newphotos.network import StoredNetwork


@dataclass(frozen=True)
class Workers:
    """How many do the work.

    Attributes:
        count: of Ray's workers; None for one per GPU, or per ``threads`` cores where there is none.
        threads: CPU threads of each; None for those of the run's recipe.
        address: of a Ray cluster; None for the one of RAY_ADDRESS or of this machine, else one is started here.
    """

    count: int | None = None
    threads: int | None = None
    address: str | None = None


@dataclass(frozen=True)
class Work:
    """What an engine is to do.

    Attributes:
        numbers: of the parts that are not done.
        photos: cut into parts.
        task: how each is done.
        network: makes the masks.
        workers: how many do it.
    """

    numbers: Sequence[int]
    photos: Photos
    task: Task
    network: StoredNetwork
    workers: Workers


Engine = Callable[[Work, Callable[[int], object]], Iterator[Tally]]
"""Does the work and counts it, part by part; calls back with how many photos more are done."""


def label_here(work: Work, advance: Callable[[int], object]) -> Iterator[Tally]:
    """Do the parts one by one in this process, on its GPU or all its cores.

    Raises:
        WeaksegError: something cannot be written.
    """
    built = work.network.build(threads=work.workers.threads)
    for number in work.numbers:
        yield label_part(number, work.photos.part(number), work.task, built, lambda: advance(1))
