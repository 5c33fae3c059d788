"""The masks of one part: photos are read, looked at and written at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TypeVar

from weakseg.data.sample import Array
from weakseg.errors import WeaksegError
from weakseg.labelling.index import Row, measured, read_part, write_part
from weakseg.labelling.photos import Part, Photo
from weakseg.labelling.sinks import Task, open_sink
from weakseg.labelling.tally import Tally
from weakseg.pipeline.newphotos.network import RunNetwork

Item = TypeVar("Item")

READERS, AHEAD = 4, 8
"""Threads that read photos, and how many are read before their turn."""
WRITERS = 4
"""Threads that write masks."""


def label_part(
    number: int, part: Part, task: Task, network: RunNetwork, advance: Callable[[], object] = lambda: None
) -> Tally:
    """Write the masks of a part, and last of all its file of the index; nothing where that is there already.

    Args:
        number: of the part.
        part: its photos.
        task: where to, and how.
        network: makes the masks.
        advance: called after each photo.

    Returns:
        what is in its file of the index.

    Raises:
        WeaksegError: something cannot be written. A photo that cannot be read is left out, and the index says why.
    """
    tally = Tally()
    rows = read_part(task.output, number)
    if rows is None:
        with ExitStack() as stack:
            writing = stack.enter_context(ThreadPoolExecutor(WRITERS, thread_name_prefix="write"))
            sink = stack.enter_context(closing(open_sink(number, task, network.classes, writing)))
            for photo, image in _read_ahead(part.photos(), network, stack):
                sink.add(*_masked(photo, image, network))
                advance()
            rows = sink.finish()
        write_part(task.output, number, rows)
    tally.count(rows)
    return tally


def _masked(photo: Photo, image: Future[Array], network: RunNetwork) -> tuple[Row, Array | None]:
    """The row of a photo, and the values of its mask; None where there is none."""
    name = photo.sample.id
    try:
        found = network.mask(name, image.result())
    except WeaksegError as error:
        return Row(name, photo.origin, left_out=str(error)), None
    return measured(name, photo.origin, found, network.classes), found.values


def _read_ahead(
    photos: Iterator[Photo], network: RunNetwork, stack: ExitStack
) -> Iterator[tuple[Photo, Future[Array]]]:
    """Photos in their order, with what is being read of them on other threads."""
    reading = stack.enter_context(ThreadPoolExecutor(READERS, thread_name_prefix="read"))
    waiting: queue.Queue[tuple[Photo, Future[Array]] | BaseException | None] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def feed() -> None:
        end: BaseException | None = None
        try:
            for photo in photos:
                _put(waiting, (photo, reading.submit(network.read, photo.sample)), stopped)
                if stopped.is_set():
                    return
        except BaseException as error:  # to be raised where the photos are used
            end = error
        _put(waiting, end, stopped)

    feeder = threading.Thread(target=feed, name="feed", daemon=True)
    stack.callback(feeder.join)
    stack.callback(stopped.set)  # called first
    feeder.start()
    while (found := waiting.get()) is not None:
        if isinstance(found, BaseException):
            raise found
        yield found


def _put(waiting: queue.Queue[Item], item: Item, stopped: threading.Event) -> None:
    """Wait for a place in the queue, unless nobody takes from it any more."""
    while not stopped.is_set():
        try:
            return waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
