"""Maps and masks of other codes in a run, and their scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from weakseg.data.classmaps import load_maps
from weakseg.data.images import read_mask
from weakseg.data.source import open_source

VALUES = tuple(tiny.CLASSES.values())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_photos(tmp_path_factory.mktemp("given") / "photos")


def write_maps(photos: Path, folder: Path, split: str = "train") -> Path:
    """Maps as psa's code writes them: 0.9 at a class's pixels, 0.1 elsewhere; 0-based VOC numbers."""
    folder.mkdir()
    for sample in open_source(f"voc:{photos}").splits[split]:
        truth = sample.read_mask()
        maps = {
            tiny.CLASSES[tag] - 1: np.where(truth == tiny.CLASSES[tag], 0.9, 0.1).astype(np.float32)
            for tag in sample.tags
        }
        np.save(folder / f"{sample.id}.npy", maps, allow_pickle=True)  # type: ignore[arg-type]
    return folder


def write_masks(photos: Path, folder: Path) -> Path:
    """The true masks as IRNet's code writes its own: grey PNGs in VOC's values."""
    folder.mkdir()
    for sample in open_source(f"voc:{photos}").splits["train"]:
        Image.fromarray(sample.read_mask()).save(folder / f"{sample.id}.png")
    return folder


def test_maps_are_scored(photos: Path, tmp_path: Path) -> None:
    folder = write_maps(photos, tmp_path / "maps")
    ended = tiny.weakseg("evaluate", folder, "--data", f"voc:{photos}", "--split", "train", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["images"] == len(tiny.TRAIN)
    assert found["rule"] == "constant"
    assert found["threshold"] == 0.2
    assert found["scores"]["miou_present"] == 1
    assert found["best"]["uses_masks"]
    strict = tiny.weakseg("evaluate", folder, "--data", f"voc:{photos}", "--split", "train", "--threshold", 0.95)
    assert strict.code == 0
    assert "background constant, threshold 0.95; the best threshold, chosen with the masks, is 0." in " ".join(
        strict.out.split()
    )


def test_a_threshold_is_for_maps_alone(photos: Path, tmp_path: Path) -> None:
    folder = write_masks(photos, tmp_path / "masks")
    ended = tiny.weakseg("evaluate", folder, "--data", f"voc:{photos}", "--split", "train", "--threshold", 0.5)
    assert "--threshold is for class maps" in tiny.error_line(ended)


def test_a_run_takes_maps_and_goes_on_with_them(photos: Path, tmp_path: Path) -> None:
    folder = write_maps(photos, tmp_path / "maps")
    more = ("stages=[localize,refine,evaluate]", f"localize.maps={folder}", "refine.steps=[background]")
    arguments = tiny.run_arguments(photos, tmp_path / "run", *more, "refine.background.rule=constant")
    ended = tiny.weakseg(*arguments)
    assert ended.code == 0, ended.err
    maps = load_maps(tmp_path / "run/localize/maps/p4.safetensors")
    assert maps.classes == (1, 3)
    assert maps.size == open_source(f"voc:{photos}").splits["train"][4].read_mask().shape
    assert maps.scores.shape[1:] == (-(-maps.size[0] // 8), -(-maps.size[1] // 8))  # reduced to localize.stride
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["localize"]["scores"]["miou_present"] > 0.6
    assert metrics["refine"]["scores"]["miou_present"] > 0.6
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["taken"] == {"maps": str(folder), "masks": None}
    again = tiny.weakseg(*arguments)
    assert "stages: localize, refine, evaluate (done before, stays)" in again.err
    np.save(folder / "p0.npy", {7: np.zeros(np.load(folder / "p0.npy", allow_pickle=True).item()[7].shape)})  # type: ignore[arg-type]
    assert "localize, refine, evaluate (done anew" in tiny.weakseg(*arguments).err


@pytest.mark.slow
def test_a_run_takes_masks_and_learns_from_them(photos: Path, tmp_path: Path) -> None:
    folder = write_masks(photos, tmp_path / "masks")
    mask = np.array(Image.open(folder / "p1.png"))
    mask[0] = 255
    Image.fromarray(mask).save(folder / "p1.png")
    more = ("stages=[refine,segment,predict,evaluate]", f"refine.masks={folder}", "segment.train.epochs=1")
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run", *more))
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(read_mask(tmp_path / "run/refine/masks/p1.png"), mask)
    confidence = read_mask(tmp_path / "run/refine/confidence/p1.png")
    np.testing.assert_array_equal(confidence, np.where(mask == 255, 0, 255))
    assert json.loads((tmp_path / "run/metrics.json").read_text())["refine"]["scores"]["miou_present"] > 0.95


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("localize.maps=maps",), "stages has classify, but localize.maps names maps"),
        (("localize.maps=nowhere", "stages=[localize]"), "localize.maps: nowhere: no such folder"),
        (("refine.masks=maps", "stages=[refine]"), "refine.masks: 9 of 9 training photos have no file in maps"),
    ],
)
def test_what_cannot_be_taken(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], match: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(photos, tmp_path / "maps")
    assert match in tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run", *more)))
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").rglob("*.png"))


def test_photos_without_maps_are_counted(photos: Path, tmp_path: Path) -> None:
    folder = write_maps(photos, tmp_path / "maps")
    (folder / "p2.npy").unlink()
    more = ("stages=[localize]", f"localize.maps={folder}")
    line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run", *more)))
    assert f"localize.maps: 1 of 9 training photos have no file in {folder} (first: {folder / 'p2.npy'})" in line
