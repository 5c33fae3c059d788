"""Threads for compiled loops."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Call ``work(item)`` for every item, side by side; the caller's own thread takes its part.

        Returns:
            the results in the order of the items.
        """
        todo = deque(enumerate(items))
        results: dict[int, Result] = {}

        def take() -> None:
            while todo:
                try:
                    place, item = todo.popleft()
                except IndexError:  # somebody else was faster
                    return
                results[place] = work(item)

        others = [self._pool.submit(take) for _ in range(min(self.threads, len(items)) - 1)]
        try:
            take()
        finally:
            for other in others:
                if not other.cancel():  # somebody has begun with it
                    other.result()
        return [results[place] for place in range(len(items))]

    def run(self, loop: Callable[..., object], total: int, *arguments: object, grain: int = 4096) -> None:
        """Call ``loop(*arguments, start, stop)`` for consecutive parts of range(total).

        Args:
            loop: the compiled loop.
            total: how many turns it makes in all.
            arguments: what it takes before start and stop.
            grain: the least number of turns that is worth a part; below twice as many there is only one.
        """
        parts = max(1, min(2 * self.threads, total // grain))  # two each, so that others go on while one is held up
        bounds = [total * part // parts for part in range(parts + 1)]
        self.map(lambda span: loop(*arguments, *span), list(itertools.pairwise(bounds)))
