"""Make all pictures of the guides: what the demo makes, its report and review in the browser, three kernels at work.

python benchmarks/guide_pictures.py --run runs/demo --into docs/images

The demo is run first where --run holds none that is finished. Report and review need a Chromium on the machine.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import document
import picture
from weakseg.data.images import voc_palette
from weakseg.errors import WeaksegError
from weakseg.files import replacing
from weakseg.pipeline.rundir.run import REPORT
from weakseg.recipes.loading import load_recipe
from weakseg.report.run import run_and_draw
from weakseg.report.sheet import Cell, Row, Sheet
from weakseg.report.tints import masked
from weakseg.review.server import build_app
from weakseg.review.session import open_session

ROOT = Path(__file__).resolve().parents[1]
SCENES = "scenes:160"
"""What `weakseg demo` runs on."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SKIPPED = 18
"""Photos before the one that the review shows: the most doubtful have no mask at all."""
SETTLE = 2000
"""Milliseconds until a page is drawn."""
KILOBYTES = 400
"""A picture's size at most."""


def demo(folder: Path) -> Image.Image:
    """The README's picture."""
    return picture.composed(picture.opened(folder))[0]


def refined() -> Image.Image:
    """What the Python lines of docs/tools.md make, side by side."""
    page = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "tools"}
    for code in re.findall(r"^```python\n(.*?)^```", page, flags=re.S | re.M):
        exec(compile(code, "docs/tools.md", "exec", dont_inherit=True), names)
    image, palette = names["image"], voc_palette()
    found = {name: names[f"by_{name}"] for name in ("crf", "pamr", "walk")}
    found = {"rough scores": names["argmax_labels"](names["full"], names["labels"]), **found}
    cells = [Cell(image, "photo"), *(Cell(masked(image, each.numpy(), palette), name) for name, each in found.items())]
    cells.append(Cell(masked(image, names["sample"].read_mask(), palette), "truth"))
    legend = {"fish": palette[4], "taxi": palette[6]}
    rows = [Row(cells[:3], ""), Row(cells[3:], "")]
    return Image.fromarray(Sheet(["", "", ""], rows, legend, (image.shape[0], image.shape[1])).draw())


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Any]:
    """A page of a browser without a window. Raises WeaksegError where there is none."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise WeaksegError("no Chromium on this machine; install one, such as Debian's package chromium")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        running.close()


def report(folder: Path) -> Image.Image:
    """The gallery of the run's report."""
    with browser_page(1280, 900) as page:
        page.goto((folder / REPORT).resolve().as_uri())
        page.evaluate("document.querySelector('#photos').scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(SETTLE)
        return Image.open(io.BytesIO(page.screenshot()))


def review(folder: Path) -> Image.Image:
    """The page of `weakseg review`; the decisions of its server go into a folder that is removed."""
    import uvicorn

    folder = folder.resolve()
    with socket.socket() as listening, tempfile.TemporaryDirectory() as away, chdir(away):
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        session = open_session(folder, Path(f"{folder.name}-reviews") / "reviews.jsonl", "masks")
        server = uvicorn.Server(uvicorn.Config(build_app(session, port), log_level="warning"))
        running = threading.Thread(target=server.run, args=([listening],), daemon=True)
        running.start()
        try:
            with browser_page(1280, 760) as page:
                page.goto(f"http://127.0.0.1:{port}/")
                for _ in range(SKIPPED):
                    page.locator("body[data-ready]").wait_for()
                    page.keyboard.press("ArrowRight")
                page.wait_for_timeout(SETTLE)
                return Image.open(io.BytesIO(page.screenshot()))
        finally:
            server.should_exit = True
            running.join(10)


def write(name: str, content: Image.Image, into: Path) -> None:
    """Write a palette PNG, and say how large it is."""
    kept = [tuple(colour) for colour in voc_palette()[1:7]]
    data = picture.packed(content.convert("RGB"), kept, KILOBYTES * 1000)
    with replacing(into / f"{name}.png") as temporary:
        temporary.write_bytes(data)
    print(f"{into / name}.png: {len(data) / 1000:.0f} kB, {np.asarray(content).shape[1]} px wide")


def main() -> None:
    """Run the demo if need be, and draw."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", type=Path, default=Path("runs/demo"), help="run of `weakseg demo`; made if missing")
    options.add_argument("--into", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    options.add_argument("--only", nargs="*", help="names of pictures; all without it")
    given = options.parse_args()
    makers: dict[str, Callable[[], Image.Image]] = {
        "demo": lambda: demo(given.run),
        "report": lambda: report(given.run),
        "review": lambda: review(given.run),
        "refined": refined,
    }
    wanted = given.only or list(makers)
    if set(wanted) - {"refined"}:
        run_and_draw(load_recipe("auto", ["demo"]), SCENES, given.run)
    for name in wanted:
        write(name, makers[name](), given.into)


if __name__ == "__main__":
    document.command(main)
