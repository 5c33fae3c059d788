"""What processes do in the tests of their start; nothing that takes long to import."""

from __future__ import annotations

import os
import time
from pathlib import Path

from weakseg.errors import WeaksegError
from weakseg.training.launch import run_together


def tell(folder: Path, text: str) -> None:
    """Write a file of the process's rank."""
    (folder / os.environ["RANK"]).write_text(f"{text} {os.getpid()}")


def tell_and_wait(folder: Path, how: str) -> None:
    """Write a file; the second process then ends in some way, once the first has written its own; others wait."""
    tell(folder, "here")
    if os.environ["RANK"] == "1" and how != "wait":
        while not (folder / "0").exists():
            time.sleep(0.01)
        if how == "killed":
            os.kill(os.getpid(), 9)
        if how == "left":
            os._exit(7)
        raise WeaksegError("dog1.jpg: broken; mend it") if how == "refused" else ValueError("no such thing")
    time.sleep(600)


def start_waiting(folder: Path) -> None:
    """Two processes that wait."""
    run_together(tell_and_wait, [folder, "wait"], 2)
