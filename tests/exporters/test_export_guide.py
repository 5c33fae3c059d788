"""The script of docs/export.md runs as it stands there, with nothing of weakseg."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import weakseg
from conftest import ROOT, FinishedRun
from weakseg.exporters.command import export


def test_the_script_segments_a_photo(finished_run: FinishedRun, tmp_path: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "export.md").read_text(), flags=re.S | re.M)
    imported = set(re.findall(r"^(?:import|from) (\w+)", script, flags=re.M))
    assert imported == {"json", "sys", "numpy", "onnxruntime", "PIL"}
    assert len([line for line in script.splitlines() if line]) <= 20
    (tmp_path / "segment.py").write_text(script)
    network = export(finished_run.folder, "onnx", tmp_path / "onnx").folder / "network.onnx"
    photo, out = finished_run.photos / "JPEGImages" / "v1.jpg", tmp_path / "mask.png"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, tmp_path / "segment.py", network, photo, out],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    names = ended.stdout.strip().split(", ")
    with Image.open(photo) as picture, Image.open(out) as mask:
        assert mask.size == picture.size
        labels, image = np.array(mask), np.array(picture.convert("RGB"))
    found = weakseg.load_segmenter(finished_run.folder)
    assert {("background", *found.names)[label] for label in np.unique(labels)} <= set(names)
    # The run enlarges probabilities where the script enlarges labels: they differ along borders.
    assert (found(image).labels == labels).mean() > 0.95
