"""What a bar tells: on a terminal of 80 columns, and in the lines of a log."""

import io
import re
import sys

import pytest
from rich.console import Console

from weakseg.training import progress
from weakseg.training.progress import bar, rate_text, time_text, track


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 80 columns: what was written to it."""
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=True, width=80, markup=False))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    return lambda: [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", part) for part in re.split(r"[\r\n]+", text.getvalue())]


@pytest.mark.parametrize(
    ("speed", "text"),
    [(None, ""), (0, ""), (12.34, "12.3 img/s"), (1, "1.0 img/s"), (0.4, "2.5 s/img"), (1 / 83, "83.0 s/img")],
)
def test_slow_rates_are_seconds_per_item(speed, text):
    assert rate_text(speed, "img") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (9.6, "0:10"), (59.7, "1:00"), (83, "1:23"), (3599.6, "1:00:00"), (90061, "25:01:01")],
)
def test_times_are_minutes_and_seconds(seconds, text):
    assert time_text(seconds) == text


def test_lines_of_a_log_tell_the_same(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress, "console", Console(stderr=True, markup=False, width=80))
    with bar("localize", 5, done=1) as running:
        for seconds in (10, 10, 10, 4):
            clock.now += seconds
            running.note("loss 0.5")
            running.advance()
    assert capsys.readouterr().err.splitlines() == ["localize 3/5  10.0 s/img  0:20 left  loss 0.5"]


def test_the_last_line_has_rate_and_time_of_the_whole(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress, "console", Console(stderr=True, markup=False, width=80))
    for number in track(range(200), "read", 200):
        clock.now += 0.05 if number < 199 else 20
    assert capsys.readouterr().err.splitlines()[-1] == "read 200/200  6.7 img/s  in 0:30"


def test_the_rate_is_that_of_late(clock):
    running = progress.Bar("x", 1000, "img", 0, None)
    clock.now += 90  # the first steps compile something
    for _ in range(150):
        clock.now += 0.5
        running.advance()
    assert running.told(clock.now) == "2.0 img/s  7:05 left"


def test_a_terminal_of_80_columns_shows_all(screen, clock):
    with bar("relate: mean displacement", 12000) as running:
        clock.now += 60
        running.note("loss 1.172")
        running.advance(16)
    shown = next(line for line in screen() if "left" in line)
    assert re.fullmatch(
        r"relate: mean displacement [━╸╺ ]+16/12000 3\.8 s/img  12:29:00 left  loss 1\.172", shown.strip()
    )
    assert len(shown) <= 80
    assert "0:00:00" not in "".join(screen())
