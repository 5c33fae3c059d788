"""Where the masks of a part go: PNG files, or tar shards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from weakseg.data.images import encode_mask
from weakseg.data.sample import Array, Classes
from weakseg.labelling.index import Row, about
from weakseg.labelling.shards import ShardWriter
from weakseg.labelling.storage import Output

BEHIND = 16
"""How many masks may wait to be written."""
MASKS, SHARDS = "masks", "shards"


@dataclass(frozen=True)
class Task:
    """How parts are done, the same for all.

    Attributes:
        output: where masks and index go.
        per_shard: masks of a tar shard; None for a PNG file each.
        several: a part may have more than one shard, which are then numbered.
    """

    output: Output
    per_shard: int | None = None
    several: bool = False

    def shard(self, part: int, number: int) -> str:
        """The name of a shard."""
        more = f"-{number:03d}" if self.several else ""
        return f"{SHARDS}/masks-{part:06d}{more}.tar"


class Sink(ABC):
    """Takes the masks of a part; they are encoded on other threads."""

    def __init__(self, task: Task, classes: Classes, writing: ThreadPoolExecutor) -> None:
        """Begin a part.

        Args:
            task: how parts are done.
            classes: of the masks.
            writing: the threads.
        """
        self._task, self._palette, self._writing = task, classes.palette, writing
        self._waiting: deque[Future[tuple[Row, bytes]]] = deque()
        self._rows: list[Row] = []

    def add(self, row: Row, values: Array | None) -> None:
        """Write a mask; wait where too many are not written yet.

        Args:
            row: of the index, but for the mask's place.
            values: of the mask, uint8 (H, W); None where the photo was left out.
        """
        self._waiting.append(self._writing.submit(self._encoded, row, values))
        self._settle(BEHIND)

    def finish(self) -> list[Row]:
        """The rows of all photos, in their order, once all masks are written."""
        self._settle(0)
        return self._rows

    def close(self) -> None:
        """Forget what is not begun."""
        for future in self._waiting:
            future.cancel()

    def _encoded(self, row: Row, values: Array | None) -> tuple[Row, bytes]:
        return row, b"" if values is None else encode_mask(values, self._palette)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._rows.append(self._settled(*self._waiting.popleft().result()))

    @abstractmethod
    def _settled(self, row: Row, mask: bytes) -> Row:
        """The row of an encoded mask (b"" for none), in the order of the photos."""


class _Files(Sink):
    """A PNG file for each mask, written where it is encoded."""

    def _encoded(self, row: Row, values: Array | None) -> tuple[Row, bytes]:
        row, mask = super()._encoded(row, values)
        if mask:
            row = replace(row, mask=f"{MASKS}/{row.id}.png")
            self._task.output.write(str(row.mask), mask)
        return row, mask

    def _settled(self, row: Row, mask: bytes) -> Row:
        return row


class _Shards(Sink):
    """Tar shards, one at a time, written to the output when they are full."""

    def __init__(self, number: int, task: Task, classes: Classes, writing: ThreadPoolExecutor) -> None:
        super().__init__(task, classes, writing)
        self._number = number
        self._most = task.per_shard or 1
        self._folder = TemporaryDirectory(prefix="weakseg-label-")
        self._writer: ShardWriter | None = None
        self._shards = self._inside = 0

    def finish(self) -> list[Row]:
        rows = super().finish()
        self._end_shard()
        return rows

    def close(self) -> None:
        super().close()
        if self._writer is not None:
            self._writer.close()
        self._folder.cleanup()

    def _settled(self, row: Row, mask: bytes) -> Row:
        if not mask:
            return row
        if self._inside == self._most:
            self._end_shard()
        self._writer = self._writer or ShardWriter(self._path)
        self._inside += 1
        key = self._writer.add(row.id, mask, about(row))
        return replace(row, mask=f"{self._task.shard(self._number, self._shards)}#{key}.png")

    @property
    def _path(self) -> Path:
        return Path(self._folder.name, "shard.tar")

    def _end_shard(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._task.output.upload(self._task.shard(self._number, self._shards), self._path)
        self._writer, self._inside, self._shards = None, 0, self._shards + 1


def open_sink(number: int, task: Task, classes: Classes, writing: ThreadPoolExecutor) -> Sink:
    """The sink of a part by its number; arguments as of `Sink`."""
    return _Files(task, classes, writing) if task.per_shard is None else _Shards(number, task, classes, writing)
