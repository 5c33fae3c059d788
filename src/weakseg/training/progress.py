"""Progress bars with rate and time left, on a terminal and in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

T = TypeVar("T")
PLAIN_SECONDS = 15.0
BAR_WIDTH, BESIDE = 30, 40
"""Characters of a bar at most, and of what stands beside it apart from title and counts: rate, time and a loss."""
RECENT = 100
"""Steps that the rate is taken over."""

# Plain text: brackets and colons in file names are no markup.
console = Console(stderr=True, markup=False, emoji=False)
logger = logging.getLogger("weakseg")


def say(text: str, style: str = "") -> None:
    """Tell the user, and the run's log."""
    console.print(text, style=style, highlight=False, soft_wrap=True)
    logger.info(text)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append what is said and measured to a text file, with times."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True
        handler.close()


def rate_text(speed: float | None, unit: str) -> str:
    """Items per second; below one a second, the seconds of an item.

    Args:
        speed: items per second; None or 0 where it is not known yet.
        unit: what an item is called.

    Example:
        >>> rate_text(12.34, "img"), rate_text(0.4, "img")
        ('12.3 img/s', '2.5 s/img')
    """
    if not speed:
        return ""
    return f"{speed:.1f} {unit}/s" if speed >= 1 else f"{1 / speed:.1f} s/{unit}"


def time_text(seconds: float) -> str:
    """A span of time as h:mm:ss, or m:ss below an hour.

    Example:
        >>> time_text(83), time_text(3700)
        ('1:23', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


class Timed(NamedTuple):
    """What a bar has counted.

    Attributes:
        title: of the bar.
        items: that were done.
        seconds: that they took.
    """

    title: str
    items: int
    seconds: float


_timed: list[list[Timed]] = []


@contextmanager
def timing() -> Iterator[list[Timed]]:
    """Work without a word; the list fills with what the bars have counted."""
    found: list[Timed] = []
    _timed.append(found)
    quiet, console.quiet = console.quiet, True
    try:
        yield found
    finally:
        console.quiet = quiet
        _timed.remove(found)


class Bar:
    """One running bar: ``advance`` it and ``note`` figures beside it."""

    def __init__(self, title: str, total: int, unit: str, done: int, progress: Progress | None) -> None:
        """Start at ``done`` of ``total``; without ``progress`` (no terminal) print a line now and then."""
        self._title, self._total, self._unit, self._progress = title, total, unit, progress
        self._first = self._done = done
        self._start = self._printed = time.monotonic()
        self._text = ""
        self._recent: deque[tuple[float, int]] = deque([(self._start, done)], maxlen=RECENT)
        if progress is not None:
            self._task = progress.add_task(title, total=total, completed=done, told="")

    def note(self, text: str) -> None:
        """Set the figures shown at the end of the line."""
        self._text = text

    def advance(self, count: int = 1) -> None:
        """Move on by ``count`` items."""
        self._done += count
        now = time.monotonic()
        self._recent.append((now, self._done))
        if self._progress is not None:
            self._progress.update(self._task, advance=count, told=self.told(now))
        elif now - self._printed >= PLAIN_SECONDS:
            self._printed = now
            line = f"{self._title} {self._done}/{self._total}  {self.told(now)}"
            console.print(line.rstrip(), highlight=False, soft_wrap=True)

    def timed(self) -> Timed:
        """What was counted until now."""
        return Timed(self._title, self._done - self._first, time.monotonic() - self._start)

    def told(self, now: float) -> str:
        """Rate and time left as of late, or once all is done those of the whole; and what was noted."""
        ended = self._done >= self._total
        since, first = (self._start, self._first) if ended else self._recent[0]
        speed = (self._done - first) / max(now - since, 1e-9)
        spent = (
            f"in {time_text(now - self._start)}" if ended else f"{time_text((self._total - self._done) / speed)} left"
        )
        return "  ".join(text for text in (rate_text(speed, self._unit), spent, self._text) if text)


@contextmanager
def bar(title: str, total: int, *, unit: str = "img", done: int = 0) -> Iterator[Bar]:
    """A bar on the terminal, or a line every 15 s where standard error is no terminal.

    Args:
        title: what is being done.
        total: number of items.
        unit: what an item is called in the rate.
        done: items finished before this process began (a resumed step).
    """
    with _shown(title, total, unit, done) as running:
        yield running
    for found in _timed:
        found.append(running.timed())


@contextmanager
def _shown(title: str, total: int, unit: str, done: int) -> Iterator[Bar]:
    if console.quiet or not sys.stderr.isatty():
        yield Bar(title, total, unit, done, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=min(BAR_WIDTH, max(4, console.width - BESIDE - len(title) - 2 * len(str(total))))),
        TextColumn("{task.completed}/{task.total}", markup=False),
        TextColumn("{task.fields[told]}", style="cyan", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(title, total, unit, done, progress)


def track(items: Iterable[T], title: str, total: int, *, unit: str = "img") -> Iterator[T]:
    """Iterate with a bar."""
    with bar(title, total, unit=unit) as running:
        for item in items:
            yield item
            running.advance()
