"""Every Python block of docs/python.md works, one after the other, on a finished run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import tiny
from conftest import ROOT, FinishedRun

GUIDE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.fixture
def desk(finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the guide names."""
    shutil.copytree(finished_run.folder, tmp_path / "runs" / "photos")
    (tmp_path / "new-photos").mkdir()
    shutil.copy(finished_run.photos / "JPEGImages" / "v0.jpg", tmp_path / "new-photos" / "a.jpg")
    with av.open(str(tmp_path / "film.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in (0, 90):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")))
        film.mux(stream.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_works(desk: Path, finished_run: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = str(tiny.write_overlay(desk))
    # The run that is there stands for the one that the guide makes.
    shorter = {'"photos.csv"': repr(f"voc:{finished_run.photos}"), '["small"], ["seed=3"]': repr([overlay])}
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.S | re.M)
    names: dict[str, Any] = {}
    for block in blocks:
        for text, other in shorter.items():
            block = block.replace(text, other)
        exec(block, names)
    assert len(blocks) == 8
    assert set(np.unique(names["labels"])) <= {0, 1, 2}
    assert names["walked"].shape == (2, 20, 30)
    said = capsys.readouterr()
    assert "refine: done before, unchanged" in said.err
    assert said.out.count("<Segmentation 64x48") >= 2
    assert (desk / "a-mask.png").is_file()
    assert (desk / "for-labelling" / "annotations.json").is_file()


def test_the_examples_that_it_names_are_there() -> None:
    for path in re.findall(r"examples/[\w/]+(?:\.\w+)?", GUIDE):
        assert (ROOT / path).exists(), path
