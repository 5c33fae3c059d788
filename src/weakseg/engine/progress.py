"""Progress bars with rate and time left, on a terminal and in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")
PLAIN_SECONDS = 15.0

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


class RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        """Show the speed of one bar."""
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "it")
        return Text(f"{speed:.1f} {unit}/s" if speed else f"- {unit}/s", style="cyan")


class Bar:
    """One running bar: ``advance`` it and ``note`` figures beside it."""

    def __init__(self, title: str, total: int, unit: str, done: int, progress: Progress | None) -> None:
        """Start at ``done`` of ``total``; without ``progress`` (no terminal) print a line now and then."""
        self._title, self._total, self._unit, self._progress = title, total, unit, progress
        self._first = self._done = done
        self._start = self._printed = time.monotonic()
        self._text = ""
        if progress is not None:
            self._task = progress.add_task(title, total=total, completed=done, unit=unit, text="")

    def note(self, text: str) -> None:
        """Set the figures shown at the end of the line."""
        self._text = text

    def advance(self, count: int = 1) -> None:
        """Move on by ``count`` items."""
        self._done += count
        if self._progress is not None:
            self._progress.update(self._task, advance=count, text=self._text)
        elif time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._print()

    def _print(self) -> None:
        self._printed = now = time.monotonic()
        rate = (self._done - self._first) / max(now - self._start, 1e-9)
        left = (self._total - self._done) / rate if rate else float("inf")
        line = f"{self._title} {self._done}/{self._total}  {rate:.1f} {self._unit}/s  {left:.0f} s left  {self._text}"
        console.print(line.rstrip(), highlight=False, soft_wrap=True)


@contextmanager
def bar(title: str, total: int, *, unit: str = "img", done: int = 0) -> Iterator[Bar]:
    """A bar on the terminal, or a line every 15 s where standard error is no terminal.

    Args:
        title: what is being done.
        total: number of items.
        unit: what an item is called in the rate.
        done: items finished before this process began (a resumed step).
    """
    if not sys.stderr.isatty():
        yield Bar(title, total, unit, done, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", style="dim"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(title, total, unit, done, progress)


def track(items: Iterable[T], title: str, total: int, *, unit: str = "img") -> Iterator[T]:
    """Iterate with a bar."""
    with bar(title, total, unit=unit) as running:
        for item in items:
            yield item
            running.advance()
