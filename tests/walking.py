"""What a new user does by hand: the lines of docs/walk.md, and a mask corrected with the mouse."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, label

import tiny
from browser import Tab
from reviewing import at

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "walk.md"
SCRIPTS = ROOT / "benchmarks"
BRUSH = 12
"""Pixels across that the page's brush has at first."""


class Walk:
    """The commands of the page, one after the other."""

    def __init__(self) -> None:
        text = PAGE.read_text(encoding="utf-8")
        found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.S | re.M)
        # Commands stand in blocks without a language, what they print in blocks of text.
        self.left = [(kind, line) for kind, block in found for line in block.splitlines() if kind in ("", "text")]

    def next(self, start: str) -> list[str]:
        """The words of the page's next command, which must begin like this."""
        kind, line = self.left.pop(0)
        assert not kind, f"{line}: is printed by no command"
        assert line.startswith(start), f"the page goes on with {line}, the test with {start}"
        return shlex.split(line)

    def run(self, start: str, *more: str) -> str:
        """Run the page's next command in this process, with more behind it; what it says, compared with the page."""
        ended = tiny.weakseg(*self.next(start)[1:], *more)
        assert ended.code == 0, ended.err
        said = ended.out + ended.err
        while self.left and self.left[0][0] == "text":
            _, line = self.left.pop(0)
            assert line in said.splitlines(), f"not said: {line}\n{said}"
        return said

    @contextmanager
    def served(self, start: str) -> Iterator[str]:
        """The address of the server that the page's next command starts at a free port; Ctrl-C ends it."""
        command = [sys.executable, "-m", "weakseg", *self.next(start)[1:], "--port", "0"]
        paths = os.pathsep.join(sys.path)  # the toys of the tests too, whose settings stand in the recipe
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
        ) as server:
            assert server.stderr is not None
            said = ""
            try:
                while not (found := re.search(r"http://127\.0\.0\.1:\d+", said)):
                    line = server.stderr.readline()
                    assert line, said
                    said += line
                yield f"{found[0]}/"
            finally:
                server.send_signal(signal.SIGINT)
                said += server.stderr.read()  # or its last words would meet a closed pipe
        assert server.returncode == 0, said


def shown(opened: Tab, other_than: str = "") -> str:
    """Wait until a photo is shown and all of it written; its id."""
    return str(
        opened.page.wait_for_function(
            "other => document.body.dataset.ready !== other && document.body.dataset.ready", arg=other_than
        ).json_value()
    )


def correct(opened: Tab, truth: Any, made: Any) -> None:
    """Make a mask about right: take wrong regions away with a click each, then paint; labels (H, W)."""
    press, mouse = opened.page.keyboard.press, opened.page.mouse
    press("g")
    press("0")
    for value in np.unique(made[made > 0]):
        regions, count = label(made == value)
        for number in range(1, count + 1):
            inside = regions == number
            if (truth[inside] == value).mean() < 0.5:
                y, x = np.unravel_index(distance_transform_edt(inside).argmax(), truth.shape)
                mouse.click(*at(opened, float(x), float(y), truth.shape))
    press("b")
    for value in np.unique(truth[(truth > 0) & (truth != 255)]):
        press(str(value))
        for y, left, right in strokes(truth == value):
            mouse.move(*at(opened, left, y, truth.shape))
            mouse.down()
            mouse.move(*at(opened, right, y, truth.shape))
            mouse.up()


def strokes(region: Any) -> Iterator[tuple[float, float, float]]:
    """Level strokes of the brush that stay in a region (H, W): y, left and right; in the middle where it is thin."""
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    room = depth > BRUSH / 2
    if not room.any():
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        yield float(y), float(x), float(x)
    rows = np.flatnonzero(room.any(axis=1))
    for y in sorted({*rows[:: BRUSH - 2].tolist(), *rows[-1:].tolist()}):
        pieces, count = label(room[y])
        for number in range(1, count + 1):
            columns = np.flatnonzero(pieces == number)
            yield float(y), float(columns[0]), float(columns[-1])
