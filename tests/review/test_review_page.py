"""The page of the review in a real browser: masks corrected by keyboard and mouse, and a run that learns from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

import tiny
from browser import Tab, browser, tab
from reviewing import at, ready, served, state
from weakseg.data.images import read_mask
from weakseg.data.source import open_source
from weakseg.review.session import open_session

pytestmark = pytest.mark.slow
PHOTOS, DRAWN = 14, 10
DATA = f"scenes:{PHOTOS},seed=3"


def paint_truth(opened: Tab, truth: Any, made: Any) -> None:
    """A dab of the right class in the middle of the largest mistake; labels (H, W)."""
    y, x = np.unravel_index(distance_transform_edt((truth != made) & (truth != 255)).argmax(), truth.shape)
    label = int(truth[y, x])
    opened.page.keyboard.press("b")
    opened.page.keyboard.press(str(label))
    opened.page.mouse.move(*at(opened, float(x), float(y), truth.shape))
    opened.page.mouse.down()
    opened.page.mouse.move(*at(opened, float(x) + 2, float(y), truth.shape))
    opened.page.mouse.up()


def run(out: Path, *more: str) -> dict[str, Any]:
    ended = tiny.weakseg(*tiny.run_arguments(DATA, out, *tiny.AUTO, *more, recipe="auto"))
    assert ended.code == 0, ended.err
    figures: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return figures


def test_ten_masks_corrected_in_the_browser_move_the_figure(tmp_path: Path) -> None:
    out = tmp_path / "run"
    before = run(out)
    session = open_session(out, None, "masks")
    samples = {sample.id: sample for sample in open_source(DATA).splits["train"]}
    names = list(session.photos)[:DRAWN]
    with browser() as running, served(session) as address, tab(running, address) as opened:
        for name in names:
            ready(opened, name)
            paint_truth(opened, samples[name].read_mask(), session.mask(name))
            state(opened, "corrected")
            opened.page.keyboard.press("ArrowRight")
        assert not opened.errors
        assert all(asked.startswith(address) or asked.startswith("blob:") for asked in opened.requests)
    reviews = session.store.read()
    assert [reviews[name].decision for name in names] == ["corrected"] * DRAWN
    after = run(out, f"data.reviews={session.store.file}")
    for name in names:
        drawn = reviews[name].mask
        assert drawn is not None
        assert np.array_equal(read_mask(out / "selftrain" / "masks" / f"{name}.png"), read_mask(drawn))
    assert after["selftrain"]["scores"] != before["selftrain"]["scores"]
    assert after["refine"]["scores"] == before["refine"]["scores"]


def test_keys_decide_undo_and_two_windows_do_not_overwrite_each_other(finished_run: Any, tmp_path: Path) -> None:
    session = open_session(finished_run.folder, tmp_path / "reviews.jsonl", "masks")
    first, second, *_ = session.photos
    with browser() as running, served(session) as address, tab(running, address) as one, tab(running, address) as two:
        ready(one, first)
        ready(two, first)
        one.page.keyboard.press("a")
        ready(one, second)
        assert session.store.read()[first].decision == "accepted"
        two.page.keyboard.press("r")
        two.page.locator("#message", has_text="another window").wait_for()
        ready(two, first)
        assert session.store.read()[first].decision == "accepted"
        two.page.keyboard.press("r")
        ready(two, second)
        assert session.store.read()[first].decision == "rejected"
        two.page.keyboard.press("ArrowLeft")
        ready(two, first)
        two.page.keyboard.press("z")
        state(two, "accepted")
        assert session.store.read()[first].decision == "accepted"
        had = session.photos[first].tags
        assert two.page.locator("#given").inner_text() == (", ".join(had) or "none")
        two.page.keyboard.press("t")
        two.page.locator("#tags input[value=cow]").click()
        ready(two, first)
        given = session.store.read()[first].tags
        assert given is not None
        assert set(given) == set(had) ^ {"cow"}
        assert two.page.locator("#given").inner_text() == (", ".join(given) or "none")


@pytest.mark.parametrize("tool", ["g", "s"])
def test_a_click_fills_and_undo_takes_it_back(finished_run: Any, tmp_path: Path, tool: str) -> None:
    session = open_session(finished_run.folder, tmp_path / "reviews.jsonl", "masks")
    first = next(iter(session.photos))
    own = session.mask(first)
    with browser() as running, served(session) as address, tab(running, address) as opened:
        ready(opened, first)
        other = 1 + int(own[20, 20] == session.classes.values[0])
        opened.page.keyboard.press(tool)
        opened.page.keyboard.press(str(other))
        opened.page.mouse.click(*at(opened, 20, 20, own.shape))
        state(opened, "corrected")
        drawn = session.mask(first)
        changed = drawn != own
        assert changed[20, 20]
        assert (drawn[changed] == session.classes.values[other - 1]).all()
        opened.page.keyboard.press("z")
        state(opened, "not decided")
        assert session.store.read() == {}
        assert not opened.errors


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(finished_run: Any, tmp_path: Path, dark: bool) -> None:
    session = open_session(finished_run.folder, tmp_path / "reviews.jsonl", "masks")
    with (
        browser() as running,
        served(session) as address,
        tab(running, address, width=390, height=800, dark=dark) as opened,
    ):
        ready(opened, next(iter(session.photos)))
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        previous, following = (opened.page.locator(f"#{name}").bounding_box() for name in ("previous", "next"))
        assert previous["y"] == following["y"], "the arrows stand in one line"
        assert opened.page.locator("#legend button").count() == 1 + len(tiny.CLASSES)
        assert not opened.errors
