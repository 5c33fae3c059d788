"""Progress bars with rate and time left, on a terminal and in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

T = TypeVar("T")
PLAIN_SECONDS = 180.0
"""In a log a bar tells where it is when nothing was said for so long."""
BAR_WIDTH, BESIDE = 30, 40
"""Characters of a bar at most, and of what stands beside it apart from title and counts: rate, time and a loss."""
RECENT = 100
"""Steps that the rate is taken over."""

# Plain text: brackets and colons in file names are no markup.
console = Console(stderr=True, markup=False, emoji=False)
logger = logging.getLogger("weakseg")


@dataclass
class _Manner:
    """How this process tells things.

    Attributes:
        quiet: whether only warnings are shown.
        told: when something was last shown, in seconds of `time.monotonic`; at first, when the work began.
    """

    quiet: bool = False
    told: float = field(default_factory=time.monotonic)


_manner = _Manner()


def say(text: str, style: str = "") -> None:
    """Tell the user, unless `quietly`, and the run's log."""
    if not _manner.quiet:
        _show(text, style)
    logger.info(text)


def warn(text: str) -> None:
    """Tell the user what may be wrong, `quietly` or not, and the run's log."""
    _show(text, "yellow")
    logger.info(text)


def _show(text: str, style: str = "") -> None:
    console.print(text, style=style, highlight=False, soft_wrap=True)
    _manner.told = time.monotonic()


@contextmanager
def quietly(quiet: bool = True) -> Iterator[None]:
    """Show nothing but warnings from here on: no bars, no stages; the run's log gets all.

    Args:
        quiet: False for no change, so that an option can be handed on.
    """
    before = _manner.quiet
    _manner.quiet, _manner.told = quiet or before, time.monotonic()
    try:
        yield
    finally:
        _manner.quiet = before


def is_quiet() -> bool:
    """Whether nothing but warnings is shown."""
    return _manner.quiet


@contextmanager
def silently(silent: bool = True) -> Iterator[None]:
    """Show nothing at all from here on.

    Args:
        silent: False for no change.
    """
    before, console.quiet = console.quiet, console.quiet or silent
    try:
        yield
    finally:
        console.quiet = before


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
    try:
        with silently():
            yield found
    finally:
        _timed.remove(found)


class Bar:
    """One running bar: ``advance`` it and ``note`` figures beside it."""

    def __init__(self, title: str, total: int, unit: str, done: int, progress: Progress | None) -> None:
        """Start at ``done`` of ``total``; without ``progress`` (no terminal) tell of it after a long silence."""
        self._title, self._total, self._unit, self._progress = title, total, unit, progress
        self._first = self._done = done
        self._start = time.monotonic()
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
        elif not _manner.quiet and now - _manner.told >= PLAIN_SECONDS:
            _show(f"{self._title} {self._done}/{self._total}  {self.told(now)}".rstrip())

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
    """A bar on the terminal; in a log a line when nothing was said for `PLAIN_SECONDS`; nothing `quietly`.

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
    if _manner.quiet or console.quiet or not sys.stderr.isatty():
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
