"""A whole run with the overlay small on photos of 12 megapixels stays below 3 GiB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weakseg.data.images import read_mask
from weakseg.data.source import open_source


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_on_photos_of_twelve_megapixels_stays_below_3_gib(tmp_path: Path, animals: Path) -> None:
    samples = [sample for sample in open_source(f"voc:{animals}").splits["train"] if len(sample.tags) == 1]
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for sample in [sample for sample in samples if sample.tags == (name,)][:8]:
            photo = Image.fromarray(np.asarray(sample.read_image())).resize((4032, 3024))
            photo.save(tmp_path / "photos" / name / f"{sample.id}.jpg")
    few = [f"{section}.train.epochs=1" for section in ("classify", "relate.affinitynet", "segment")]
    command = ["run", "affinitynet", "--with", "small", "--data", f"folders:{tmp_path / 'photos'}"]
    command += ["--out", str(tmp_path / "run"), *few, "refine.background.alpha=4", "hardware.threads=2"]
    ended = subprocess.run([sys.executable, "-m", "weakseg", *command], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["working_size"]["reduced"] == 16
    assert manifest["peak_memory_mib"] < 3072
    assert {read_mask(path).shape for path in (tmp_path / "run" / "refine" / "masks").rglob("*.png")} == {(3024, 4032)}
