"""Super-pixels in a run of CPN: made once per photo, kept, used by every epoch, and made again where they are lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Value
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import tiny
from weakseg.data.images import read_image
from weakseg.data.superpixels import load_superpixels, save_superpixels, superpixels
from weakseg.pipeline.rundir.run import Run

SHORT = ("stages=[classify]", "classify.options.segments=20")


def arguments(photos: Path, folder: Path, *more: str) -> list[str]:
    return tiny.run_arguments(photos, folder, *SHORT, *more, recipe="cpn")


def kept(folder: Path) -> dict[str, Path]:
    root = folder / "classify" / "superpixels"
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.png")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_photos(tmp_path_factory.mktemp("guides") / "photos")


@pytest.fixture(scope="module")
def calls() -> Iterator[Synchronized[int]]:
    """How many super-pixel maps were computed, in this process and those that it loads with."""
    found = Value("i", 0)

    def counted(image, **options):
        with found:
            found.value += 1
        return superpixels(image, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weakseg.data.superpixels.superpixels", counted)
        yield found


@dataclass(frozen=True)
class Whole:
    """A run without an interruption and without workers, and how many super-pixel maps it computed."""

    folder: Path
    computed: int


@pytest.fixture(scope="module")
def whole(photos: Path, calls: Synchronized[int], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "run"
    before = calls.value
    ended = tiny.weakseg(*arguments(photos, folder))
    assert ended.code == 0, ended.err
    return Whole(folder, calls.value - before)


def learned(folder: Path) -> tuple[bytes, list[tuple[float, dict[str, float]]]]:
    """The trained weights, and the losses of all steps."""
    rows = Run(folder).log.rows()
    assert rows
    weights = folder / "classify" / "weights.safetensors"
    return weights.read_bytes(), [(row["loss"], row["terms"]) for row in rows]


def test_each_photo_has_its_own_once_for_all_epochs(photos: Path, whole: Whole):
    files = kept(whole.folder)
    assert set(files) == set(tiny.TRAIN)
    assert whole.computed == len(tiny.TRAIN)  # for three epochs
    for name, path in files.items():
        photo = read_image(photos / "JPEGImages" / f"{name}.jpg")
        expected = superpixels(photo, segments=20, compactness=10.0)
        np.testing.assert_array_equal(load_superpixels(path), expected)


def test_loading_processes_change_nothing(photos: Path, tmp_path: Path, whole: Whole, calls: Synchronized[int]):
    before = calls.value
    ended = tiny.weakseg(*arguments(photos, tmp_path / "run", "hardware.workers=2"))
    assert ended.code == 0, ended.err
    assert calls.value - before == len(tiny.TRAIN)
    maps, expected = kept(tmp_path / "run"), kept(whole.folder)
    assert {name: path.read_bytes() for name, path in maps.items()} == {
        name: path.read_bytes() for name, path in expected.items()
    }
    assert learned(tmp_path / "run") == learned(whole.folder)


def test_what_is_kept_is_what_a_training_learns_from(photos: Path, tmp_path: Path, whole: Whole):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    assert tiny.in_process(arguments(photos, folder), log, die_at=("classify/state.pt", 1)) < 0, log.read_text()
    for path in kept(folder).values():
        save_superpixels(path, superpixels(np.zeros((*load_superpixels(path).shape, 3), np.uint8), segments=4))
    assert tiny.weakseg(*arguments(photos, folder)).code == 0
    assert learned(folder)[0] != learned(whole.folder)[0]


@pytest.mark.parametrize("moment", [("classify/superpixels/", 4), ("classify/state.pt", 3)])
def test_an_interrupted_run_goes_on_with_what_it_has(
    moment: tuple[str, int], photos: Path, tmp_path: Path, whole: Whole, calls: Synchronized[int]
):
    cut, log = tmp_path / "run", tmp_path / "log.txt"
    assert tiny.in_process(arguments(photos, cut), log, die_at=moment) == -signal.SIGKILL, log.read_text()
    before, computed = {path: path.stat().st_mtime_ns for path in kept(cut).values()}, calls.value
    ended = tiny.weakseg(*arguments(photos, cut))
    assert ended.code == 0, ended.err
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert calls.value - computed == len(tiny.TRAIN) - len(before)
    trained = [load_file(folder / "classify" / "weights.safetensors") for folder in (whole.folder, cut)]
    assert all(trained[0][key].equal(trained[1][key]) for key in trained[0])


def test_a_damaged_file_says_how_to_get_another(photos: Path, tmp_path: Path):
    assert tiny.in_process(arguments(photos, tmp_path / "run"), tmp_path / "log", die_at=("classify/state.pt", 2)) < 0
    path = kept(tmp_path / "run")["p0"]
    path.write_bytes(b"no picture")
    ended = tiny.weakseg(*arguments(photos, tmp_path / "run"))
    line = tiny.error_line(ended)
    assert str(path) in line
    assert "delete it to have it made anew" in line
    path.unlink()
    ended = tiny.weakseg(*arguments(photos, tmp_path / "run"))
    assert ended.code == 0, ended.err
