"""A real browser without a window, for tests of pages; they are left out where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def executable() -> str | None:
    """The browser that WEAKSEG_CHROMIUM names, else the first Chromium of the machine; None without one."""
    named = os.environ.get("WEAKSEG_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Tab:
    """A page in the browser.

    Attributes:
        page: Playwright's.
        errors: what the page has complained of in the console, and errors that nothing caught.
        requests: addresses that it has asked for, data URIs left out.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def browser() -> Iterator[Any]:
    """A running browser; skips the test where there is none."""
    path = executable()
    if path is None:
        pytest.skip("no Chromium on this machine; `apt-get install chromium`, or WEAKSEG_CHROMIUM may name one")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright; install the extra test")
    with playwright.sync_playwright() as driver:
        # Without its sandbox, which root in a container cannot have; only pages of these tests are opened.
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield running
        finally:
            running.close()


@contextmanager
def tab(running: Any, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Tab]:
    """Open a page.

    Args:
        running: of `browser`.
        address: of the page.
        width: of the window in pixels.
        height: likewise.
        dark: whether the user prefers dark colours.
    """
    scheme = "dark" if dark else "light"
    context = running.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened = Tab(context.new_page())
    page = opened.page
    page.on("console", lambda told: opened.errors.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith("data:") else opened.requests.append(asked.url))
    page.set_default_timeout(10_000)
    page.goto(address)
    try:
        yield opened
    finally:
        context.close()
