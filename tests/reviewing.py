"""The page of the review, served and looked at in a browser."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from browser import Tab
from weakseg.review.session import Session


@contextmanager
def served(session: Session) -> Iterator[str]:
    """The address of a running server."""
    uvicorn = pytest.importorskip("uvicorn")
    from weakseg.review.server import build_app

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(build_app(session, port), log_level="warning"))
        running = threading.Thread(target=server.run, args=([listening],), daemon=True)
        running.start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            running.join(10)


def ready(opened: Tab, name: str) -> None:
    """Wait until a photo is shown and all of it written."""
    opened.page.locator(f'body[data-ready="{name}"]').wait_for()


def state(opened: Tab, text: str) -> None:
    """Wait for what the page says of the photo."""
    opened.page.locator("#state", has_text=re.compile(f"^{text}$")).wait_for()


def at(opened: Tab, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
    """Where a pixel of the photo is on the screen."""
    box: Any = opened.page.locator("#view").bounding_box()
    height, width = size
    scale = min(box["width"] / width, box["height"] / height)
    left, top = box["x"] + (box["width"] - width * scale) / 2, box["y"] + (box["height"] - height * scale) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale
