"""Super-pixels in a run of CPN: made once per photo, kept, used by every epoch, and made again where they are lost."""

import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import tiny
from weakseg.data.images import read_image
from weakseg.data.superpixels import load_superpixels, superpixels

SHORT = ("stages=[classify]", "classify.options.segments=20")


def arguments(photos: Path, folder: Path, *more: str) -> list[str]:
    return tiny.run_arguments(photos, folder, *SHORT, *more, recipe="cpn")


def kept(folder: Path) -> dict[str, Path]:
    root = folder / "classify" / "superpixels"
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.png")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_photos(tmp_path_factory.mktemp("guides") / "photos")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes of the photos that super-pixels are computed of."""
    found: list[tuple[int, ...]] = []

    def counted(image, **options):
        found.append(image.shape)
        return superpixels(image, **options)

    monkeypatch.setattr("weakseg.data.superpixels.superpixels", counted)
    return found


def test_each_photo_has_its_own_once_for_all_epochs(photos: Path, tmp_path: Path, calls: list[tuple[int, ...]]):
    ended = tiny.weakseg(*arguments(photos, tmp_path / "run"))
    assert ended.code == 0, ended.err
    files = kept(tmp_path / "run")
    assert set(files) == set(tiny.TRAIN)
    assert len(calls) == len(tiny.TRAIN)  # for three epochs
    for name, path in files.items():
        photo = read_image(photos / "JPEGImages" / f"{name}.jpg")
        expected = superpixels(photo, segments=20, compactness=10.0)
        np.testing.assert_array_equal(load_superpixels(path), expected)


def test_what_is_kept_is_what_a_training_learns_from(photos: Path, tmp_path: Path):
    weights = []
    for segments in (4, 20):
        folder = tmp_path / str(segments)
        folder.mkdir()
        ended = tiny.weakseg(*arguments(photos, folder / "run", f"classify.options.segments={segments}"))
        assert ended.code == 0, ended.err
        weights.append(load_file(folder / "run" / "classify" / "weights.safetensors")["classifier.weight"])
    assert not weights[0].equal(weights[1])


@pytest.mark.parametrize("moment", [("classify/superpixels/", 4), ("classify/state.pt", 3)])
def test_an_interrupted_run_goes_on_with_what_it_has(
    moment: tuple[str, int], photos: Path, tmp_path: Path, calls: list[tuple[int, ...]]
):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert tiny.weakseg(*arguments(photos, tmp_path / "whole" / "run")).code == 0
    calls.clear()
    cut, log = tmp_path / "cut" / "run", tmp_path / "log.txt"
    assert tiny.in_process(arguments(photos, cut), log, die_at=moment) == -signal.SIGKILL, log.read_text()
    before = {path: path.stat().st_mtime_ns for path in kept(cut).values()}
    ended = tiny.weakseg(*arguments(photos, cut))
    assert ended.code == 0, ended.err
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(calls) == len(tiny.TRAIN) - len(before)
    trained = [load_file(folder / "classify" / "weights.safetensors") for folder in (tmp_path / "whole" / "run", cut)]
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
