"""What a bar tells: on a terminal of 80 columns, and in the lines of a log."""

import io
import re
import sys

import pytest
from rich.console import Console

from weakseg.training import progress
from weakseg.training.progress import bar, logging_to, quietly, rate_text, say, time_text, track, warn


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    monkeypatch.setattr(progress._manner, "told", found.now)
    return found


@pytest.fixture
def log(monkeypatch, capsys):
    """Standard error that is no terminal: its lines until now."""
    monkeypatch.setattr(progress, "console", Console(stderr=True, markup=False, width=80))
    return lambda: capsys.readouterr().err.splitlines()


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


def test_lines_of_a_log_tell_the_same(clock, log):
    with bar("localize", 5, done=1) as running:
        for seconds in (100, 100, 100, 4):
            clock.now += seconds
            running.note("loss 0.5")
            running.advance()
    assert log() == ["localize 3/5  100.0 s/img  3:20 left  loss 0.5"]


def test_the_last_line_has_rate_and_time_of_the_whole(clock, log):
    for number in track(range(200), "read", 200):
        clock.now += 0.05 if number < 199 else 190
    assert log()[-1] == "read 200/200  1.0 img/s  in 3:20"


def test_a_log_gets_a_line_every_three_minutes_at_most(clock, log):
    """Whether they pass in one long bar or in many short ones."""
    for number in range(6):
        if number == 4:
            say("stage 2 of 2, segment", "bold")
        for _ in track(range(60), f"part {number}", 60):
            clock.now += 1
    assert [line.split("  ")[0] for line in log()] == ["part 2 60/60", "stage 2 of 2, segment"]
    for _ in track(range(1200), "train", 1200, unit="step"):
        clock.now += 1
    assert [line.split()[1] for line in log()] == [f"{60 + 180 * number}/1200" for number in range(7)]


def test_lines_of_a_log_have_no_colour(log):
    warn("left out: [red]p1.jpg[/]: broken")
    assert log() == ["left out: [red]p1.jpg[/]: broken"]


def test_quietly_only_warnings_are_shown_and_the_log_gets_all(clock, log, tmp_path):
    with logging_to(tmp_path / "log.txt"), quietly():
        say("stage 1 of 7, classify", "bold")
        with quietly(False):
            warn("left out: p1")
        for _ in track(range(3), "classify", 3):
            clock.now += 1000
    assert log() == ["left out: p1"]
    assert [line[20:] for line in (tmp_path / "log.txt").read_text().splitlines()] == [
        "stage 1 of 7, classify",
        "left out: p1",
    ]
    say("after")
    assert log() == ["after"]


def test_quietly_a_terminal_shows_no_bar(screen, clock):
    with quietly(), bar("classify", 10) as running:
        running.advance()
    assert screen() == [""]


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
