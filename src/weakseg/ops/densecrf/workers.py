"""Threads for compiled loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from numpy.typing import NDArray


class Workers:
    """Threads that share the range of a compiled loop.

    Plain Python threads, since the loops do not hold the interpreter lock: numba's own pools do not survive a fork
    (data loaders), and some of them abort when two threads of a program meet in them.

    Attributes:
        threads: how many, the caller's own included.
        shares: into how many parts a long range is split. Two for each thread, so that the others go on while one is
            held up; a fixed number, so that sums over the parts come out the same whoever makes them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.shares = 1 if threads == 1 else 2 * threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def each(self, work: Callable[..., object], calls: Sequence[tuple[Any, ...]]) -> None:
        """Call ``work(*call)`` for every call, side by side; the caller's own thread takes its part."""
        if self.threads == 1:
            for call in calls:
                work(*call)
            return
        others = [self._pool.submit(work, *call) for call in calls[1:]]
        work(*calls[0])
        for other, call in zip(reversed(others), reversed(calls), strict=False):
            if other.cancel():  # nobody has begun with it
                work(*call)
        for other in others:
            if not other.cancelled():
                other.result()

    def run(
        self,
        loop: Callable[..., object],
        total: int,
        *arguments: object,
        private: NDArray[Any] | None = None,
        grain: int = 4096,
    ) -> None:
        """Call ``loop(*arguments, start, stop)`` for consecutive parts of range(total).

        Args:
            loop: the compiled loop.
            total: how many turns it makes in all.
            arguments: what it takes before start and stop.
            private: `shares` arrays; each part gets its own as the last argument before start.
            grain: the least number of turns that is worth a part; below twice as many there is only one.
        """
        parts = max(1, min(self.shares, total // grain))
        bounds = [total * part // parts for part in range(parts + 1)]
        own = [() if private is None else (private[part],) for part in range(parts)]
        self.each(loop, [(*arguments, *own[part], bounds[part], bounds[part + 1]) for part in range(parts)])
