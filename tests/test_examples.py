"""The scripts of examples/ do what they say, on few pictures."""

from __future__ import annotations

import runpy
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
import weakseg
from weakseg.methods.registry import SEEDS

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MY_SEED = EXAMPLES / "my_seed"


@pytest.mark.slow
def test_maps_of_another_library_are_refined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pytorch_grad_cam")
    monkeypatch.setattr(sys, "argv", ["refine_gradcam.py", "--out", str(tmp_path / "out.png"), "--photos", "1"])
    runpy.run_path(str(EXAMPLES / "refine_gradcam.py"), run_name="__main__")
    assert capsys.readouterr().out == f"1 photos: {tmp_path / 'out.png'}\n"
    drawn = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    columns = [drawn[24:204, start : start + 240] for start in range(4, 4 + 5 * 244, 244)]
    assert all(not np.array_equal(one, columns[1]) for one in columns[2:])
    assert all(one.std() > 5 for one in columns)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as `pip install ./examples/my_seed` leaves it."""
    project = tomllib.loads((MY_SEED / "pyproject.toml").read_text())["project"]
    (group, points), *_ = project["entry-points"].items()
    info = tmp_path / "site" / "my_seed-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    monkeypatch.syspath_prepend(MY_SEED)
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.mark.usefixtures("installed")
def test_a_seed_method_of_one_file_is_found_with_its_settings() -> None:
    assert "my-seed" in SEEDS.names()
    recipe = weakseg.load_recipe("cam", ["small"], ["classify.method=my-seed", "classify.options.share=0.5"])
    assert recipe.classify.options.share == 0.5
    with pytest.raises(weakseg.WeaksegError, match=r"classify.options.share"):
        weakseg.load_recipe("cam", ["small"], ["classify.method=my-seed", "classify.options.share=2"])


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_a_seed_method_of_one_file_is_compared_with_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    quick = ("classify.train.epochs=1", "localize.scales=[0.5]", "--seeds", 1, "--with", tiny.write_overlay(tmp_path))
    ended = tiny.weakseg("ablate", MY_SEED / "study.yaml", "--data", "scenes:8", "--out", tmp_path / "out", *quick)
    assert ended.code == 0, ended.err
    table = (tmp_path / "out" / "table.md").read_text()
    for label in ("plain CAM", "strongest fifth", "SIPE"):
        assert f"| {label} |" in table
    assert (tmp_path / "out" / "strongest_fifth" / "seed0" / "localize" / "maps").is_dir()
