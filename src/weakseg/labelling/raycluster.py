"""The engine of many machines: Ray Data with a pool of actors."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from weakseg.errors import WeaksegError
from weakseg.labelling.engines import Work
from weakseg.labelling.index import INSTALL
from weakseg.labelling.sinks import Task
from weakseg.labelling.storage import Output
from weakseg.labelling.tally import Tally
from weakseg.labelling.work import label_part
from weakseg.training.progress import warn

RETRIES = 3
"""How often a part is begun again whose worker has died."""
TRYING = "trying"
_BLOCKS = 10_000


def label_with_ray(work: Work, advance: Callable[[int], object]) -> Iterator[Tally]:
    """Do the parts with Ray Data, in a pool of actors that each hold the network; dead ones are replaced.

    A part whose actor has died is begun again by another. Where it had been written, it is not done twice.

    Raises:
        WeaksegError: Ray is not installed or does not answer, something cannot be written, or a part has killed its
            worker `RETRIES` times.
    """
    if work.task.output.protocol == "memory":
        raise WeaksegError(f"{work.task.output.url}: is of one process alone; choose another --out, or --engine local")
    try:
        ray: Any = import_module("ray")
        from ray.data import ActorPoolStrategy, DataContext
    except ImportError as error:
        raise WeaksegError(f"label --engine ray: needs {error.name}; {INSTALL}") from error
    with _cluster(ray, work.workers.address):
        count, threads, gpus = _shares(ray, work)
        if work.task.output.local and len(ray.nodes()) > 1:
            warn(f"{work.task.output.url}: must be a folder that all machines of the cluster share")
        network = ray.put(work.network)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what ends the work is raised
        items = [{"number": number, "part": pickle.dumps(work.photos.part(number))} for number in work.numbers]
        rows = (
            ray.data.from_items(items, override_num_blocks=min(len(items), _BLOCKS))
            .map_batches(
                _Worker,
                batch_size=1,
                compute=ActorPoolStrategy(size=count),
                fn_constructor_args=([network], work.task, threads),
                num_cpus=threads,
                num_gpus=gpus,
            )
            .iter_rows()
        )
        try:
            for row in rows:
                done = pickle.loads(row["done"])
                if isinstance(done, str):
                    raise WeaksegError(done)
                advance(done.photos)
                yield done
        except ray.exceptions.RayError as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            raise WeaksegError(
                f"label: Ray gave up ({reason}); what is done stays, the same command goes on"
            ) from error
        work.task.output.clear(TRYING)  # also what a worker that was killed had half written there


class _Worker:
    """An actor: holds the network, and does the parts that it is given."""

    def __init__(self, network: list[Any], task: Task, threads: int) -> None:
        import ray

        self._built = ray.get(network[0]).build(threads=threads)
        self._task = task

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        number, part = int(batch["number"][0]), pickle.loads(batch["part"][0])
        done: Tally | str
        try:
            with _counted(self._task.output, number):
                done = label_part(number, part, self._task, self._built)
        except WeaksegError as error:
            done = str(error)
        return {"number": [number], "done": [pickle.dumps(done)]}


@contextmanager
def _counted(output: Output, number: int) -> Iterator[None]:
    """Begin a part; how often is kept in a file, which is there until the part ends other than by a death.

    Ray begins a task again as often as its worker dies, and a photo may be what kills it.

    Raises:
        WeaksegError: the part has been begun `RETRIES` times more than once.
    """
    name = f"{TRYING}/{number:06d}"
    before = int(output.read(name) or b"0")
    if before > RETRIES:
        output.remove(name)
        raise WeaksegError(
            f"label: part {number} has killed its worker {before} times; leave out photos that are too large, or give "
            "workers more memory, and go on with the same command"
        )
    output.write(name, str(before + 1).encode())
    try:
        yield
    finally:
        output.remove(name)


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to a cluster; one that is there already is left as it is."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # ConnectionError, ValueError, RuntimeError ...
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeaksegError(f"label: no Ray cluster at {address or 'this machine'} ({reason}); see --address") from error
    try:
        yield
    finally:
        ray.shutdown()


def _shares(ray: Any, work: Work) -> tuple[int, int, int]:
    """Workers, and the cores and GPUs of each. Raises WeaksegError if the cluster has not so many."""
    there = ray.cluster_resources()
    cores, cards = int(there.get("CPU", 0)), int(there.get("GPU", 0))
    gpus = 1 if cards and work.network.accelerator != "cpu" else 0
    threads = work.workers.threads or work.network.recipe.hardware.threads or 1
    most = min(cores // threads, cards) if gpus else cores // threads
    count = work.workers.count or most
    if not 1 <= count <= most:
        has = f"{cores} cores" + (f" and {cards} GPUs" if gpus else "")
        raise WeaksegError(
            f"label: {max(count, 1)} workers of {threads} threads do not fit: the Ray cluster has {has}; "
            "lower --workers or --threads"
        )
    return min(count, len(work.numbers)), threads, gpus
