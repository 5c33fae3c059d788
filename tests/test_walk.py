"""The walk of docs/walk.md: its commands in its order, with a person's clicks and strokes in a real browser.

``WEAKSEG_WALK=FOLDER`` keeps what it makes, for the figures and pictures of the page.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import export_readers
from browser import browser, tab
from walking import ROOT, Walk, correct, shown
from weakseg.data.images import read_mask
from weakseg.data.source import open_source

DRAWN = 10
SMALL = shlex.split("""
    hardware.threads=1 data.long_side=192
    classify.augment.crop=128 classify.augment.long_side=[128,192] classify.train.epochs=10 classify.train.batch_size=8
    localize.scales=[1.0] localize.flip=false refine.pamr.iterations=4
    selftrain.augment.crop=128 selftrain.augment.scale=[0.6,1.0] selftrain.views.flip=false selftrain.views.crf=null
    selftrain.train.epochs=8 selftrain.train.batch_size=4 selftrain.train.lr=0.003
    segment.augment.crop=128 segment.augment.scale=[0.6,1.0] segment.deeplabv3plus.decoder_channels=256
    segment.train.epochs=4 segment.train.batch_size=4 segment.train.lr=0.003
    predict.scales=[1.0] predict.flip=false predict.crf=null
""")
"""Over the plan, so that the first run is quick."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to walk in."""
    folder = Path(os.environ.get("WEAKSEG_WALK", tmp_path)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def figures() -> dict[str, float]:
    """mIoU of the masks and of the network, by stage."""
    found = json.loads(Path("runs/photos/metrics.json").read_text(encoding="utf-8"))
    return {stage: found[stage]["scores"]["miou_present"] for stage in ("refine", "selftrain", "predict")}


def masks() -> dict[str, Any]:
    """The run's masks by id, (H, W)."""
    folder = Path("runs/photos/selftrain/masks")
    return {path.relative_to(folder).with_suffix("").as_posix(): read_mask(path) for path in folder.rglob("*.png")}


def look_at_the_report(running: Any) -> None:
    address = Path("runs/photos/report.html").absolute().as_uri()
    with tab(running, address) as opened:
        assert opened.page.locator(".gallery li").count() == 30 + 8
        assert opened.errors == []
        assert opened.requests == [address]


def draw(running: Any, address: str, command: str) -> list[str]:
    """Correct ten masks, accept one and reject one; the ids of those corrected.

    Args:
        running: the browser.
        address: of the review.
        command: that learns from them, as the page must say.
    """
    samples = {sample.id: sample for sample in open_source("photos.csv").splits["train"]}
    made, names = masks(), []
    with tab(running, address) as opened:
        name = ""
        assert opened.page.locator("#command", has_text="weakseg").inner_text() == command.replace(
            "--data ", "--data csv:"
        )
        for key in ["ArrowRight"] * DRAWN + ["a", "r"]:
            name = shown(opened, other_than=name)
            if key == "ArrowRight":
                assert opened.page.locator("#given").inner_text() == ", ".join(samples[name].tags)
                correct(opened, samples[name].read_mask(), made[name])
                opened.page.locator("#state", has_text=re.compile("^corrected$")).wait_for()
                names.append(name)
            opened.page.keyboard.press(key)
        shown(opened, other_than=name)
        assert opened.errors == []
    return names


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_users_walk(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Walk()
    assert walk.next("pip install") == ["pip", "install", ".[review,onnx]"]
    _, script, folder = walk.next("python benchmarks/first_photos.py")
    first = runpy.run_path(str(ROOT / script))
    table = first["write_photos"](Path(folder), train=30, val=8)
    monkeypatch.chdir(walk.next("cd")[1])

    assert "'taxy' and 'taxi' are one letter apart" in walk.run("weakseg data")
    first["mend"](Path(table.name))
    assert "taxy" not in walk.run("weakseg data")

    walk.run("weakseg run", *SMALL)
    before = figures()
    with browser() as running:
        look_at_the_report(running)
        with walk.served("weakseg review") as address:
            names = draw(running, address, walk.left[0][1])
    walk.run("weakseg run")
    after, made = figures(), masks()
    assert after["refine"] == before["refine"]
    assert after["selftrain"] > before["selftrain"]
    for name in names:
        assert np.array_equal(made[name], read_mask(Path(f"runs/photos-reviews/masks/{name}.png")))
    manifest = json.loads(Path("runs/photos/manifest.json").read_text(encoding="utf-8"))
    assert manifest["masks_used"] == {
        "for_training": False,
        "for_choosing": manifest["masks_used"]["for_choosing"],
        "drawn": DRAWN,
    }
    Path("figures.json").write_text(json.dumps({"before": before, "after": after}), encoding="utf-8")

    monkeypatch.setattr(export_readers, "NAMES", open_source("photos.csv").classes.names)
    walk.run("weakseg export")
    check(export_readers.cvat(Path("runs/photos/export/cvat/annotations.zip")), made)
    walk.run("weakseg export")
    check(export_readers.coco(Path("runs/photos/export/coco")), made)
    walk.run("weakseg export")
    without_weakseg(walk.next("python segment.py")[1:])
    assert walk.left == []


def check(read: dict[str, Any], made: dict[str, Any]) -> None:
    """An export, read by others, has the pixels of the masks."""
    assert set(read) == set(made)
    assert all(np.array_equal(read[name], made[name]) for name in made)


def without_weakseg(arguments: list[str]) -> None:
    """The script of docs/export.md finds what the run has found, where neither weakseg nor torch can be imported."""
    (code,) = re.findall(
        r"^```python\n(import json.*?)^```", (ROOT / "docs" / "export.md").read_text("utf-8"), re.S | re.M
    )
    Path("segment.py").write_text(code, encoding="utf-8")
    hide = "import runpy, sys; sys.modules.update(weakseg=None, torch=None); sys.argv[:] = sys.argv[1:]"
    python = [sys.executable, "-c", f"{hide}; runpy.run_path(sys.argv[0], run_name='__main__')"]
    subprocess.run([*python, *arguments], check=True, timeout=120)
    photo, mask = arguments[-2:]
    with Image.open(mask) as found:
        labels = np.array(found)
    expected = read_mask(Path("runs/photos/predict/masks", Path(photo).with_suffix(".png")))
    assert labels.shape == expected.shape
    assert (labels == expected).mean() > 0.95
