"""The figures and pictures of docs/walk.md, from the folder that its test has walked in.

WEAKSEG_WALK=walk-test pytest -m slow tests/test_walk.py
python benchmarks/walk_pictures.py walk-test
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import document
from shots import TESTS, keep
from weakseg.review.session import open_session

DOCS = TESTS.parent / "docs"
KILOBYTES = 195
"""Of each picture at most."""
NAMES = {
    "refine": "first masks (refine), which the reviews do not touch",
    "selftrain": "pseudo masks (selftrain)",
    "predict": "the network on the list val",
}


def figures(found: dict[str, dict[str, float]]) -> str:
    """The table of both runs, mIoU in %."""
    rows = [[NAMES[name], *(f"{100 * found[when][name]:.1f}" for when in ("before", "after"))] for name in NAMES]
    return document.table(["mIoU %", "from tags alone", "10 masks corrected"], rows)


def main() -> None:
    """Write the table and both pictures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="that WEAKSEG_WALK named")
    options.add_argument("--docs", type=Path, default=DOCS)
    given = options.parse_args()
    docs = given.docs.absolute()
    from browser import browser, tab  # of the tests, see shots
    from reviewing import ready, served

    os.chdir(given.folder / "walk")
    document.publish(figures(json.loads(Path("figures.json").read_text(encoding="utf-8"))), "walk", docs / "walk.md")
    session = open_session(Path("runs/photos"), None, "masks")
    reviews = session.store.read()
    with browser() as running:
        with tab(running, Path("runs/photos/report.html").absolute().as_uri(), height=780) as opened:
            opened.page.locator("#photos").evaluate("section => section.scrollIntoView({behavior: 'instant'})")
            keep(opened.page.screenshot(), docs / "images" / "walk-report.webp", KILOBYTES, 960)
        with served(session) as address, tab(running, address, height=680) as opened:
            for name in session.photos:
                ready(opened, name)
                if (review := reviews.get(name)) is not None and review.mask is not None:
                    break
                opened.page.keyboard.press("ArrowRight")
            keep(opened.page.screenshot(), docs / "images" / "walk-review.webp", KILOBYTES, 960)


if __name__ == "__main__":
    document.command(main)
