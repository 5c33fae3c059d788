"""How much disk a run needs, against what it then holds."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

import tiny
from weakseg.pipeline.rundir.disk import held_bytes, weight_bytes
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.shipped import recipe_files


@pytest.mark.parametrize("name", recipe_files())
def test_networks_are_sized_without_being_made(name: str) -> None:
    overlay = [] if name == "supervised" else ["backbone.weights=none"]
    recipe = load_recipe(name, [], [*overlay, "segment.backbone.weights=none"])
    assert 50e6 < weight_bytes(recipe, [f"class {number}" for number in range(20)]) < 5e9


def test_the_estimate_is_said_and_holds(finished_run) -> None:
    log = (finished_run.folder / "log.txt").read_text()
    line = next(line for line in log.splitlines() if "disk: about" in line)
    number, unit = line.partition("disk: about ")[2].split()[:2]
    said = float(number) * {"MB": 1e6, "GB": 1e9}[unit]
    assert held_bytes(finished_run.folder) < said + 1e6 < 40 * held_bytes(finished_run.folder)


def test_too_small_a_disk_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tiny.write_photos(tmp_path / "photos")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "total used free")(10, 10, 0))
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run"))
    assert "of disk" in tiny.error_line(ended)
