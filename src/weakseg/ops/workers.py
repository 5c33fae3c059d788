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
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def each(self, work: Callable[..., object], calls: Sequence[tuple[Any, ...]]) -> None:
        """Call ``work(*call)`` for every call, side by side; the first in the caller's own thread."""
        if self.threads == 1:
            for call in calls:
                work(*call)
            return
        others = [self._pool.submit(work, *call) for call in calls[1:]]
        work(*calls[0])
        for other in others:
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
            private: one array per thread; each part gets its own as the last argument before start.
            grain: the least number of turns that is worth a thread; below twice as many the caller goes alone.
        """
        parts = max(1, min(self.threads, total // grain))
        bounds = [total * part // parts for part in range(parts + 1)]
        own = [() if private is None else (private[part],) for part in range(parts)]
        self.each(loop, [(*arguments, *own[part], bounds[part], bounds[part + 1]) for part in range(parts)])
