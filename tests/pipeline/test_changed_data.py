"""Runs on data and into directories that somebody has changed."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import tiny


@pytest.fixture
def copy(tmp_path, finished_run):
    """A copy of the finished run and its photos: (folder, photos)."""
    return shutil.copytree(finished_run.folder, tmp_path / "run"), shutil.copytree(
        finished_run.photos, tmp_path / "photos"
    )


def test_other_photos_are_refused_unless_they_are_to_overwrite(copy):
    folder, photos = copy
    for path in (photos / "JPEGImages").iterdir():
        image = np.asarray(Image.open(path))
        Image.fromarray(255 - image).save(path)
    before = (folder / "refine" / "masks" / "p0.png").read_bytes()
    line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, folder)))
    assert "with other photos: 0 of its 12 are in" in line
    assert "--overwrite" in line
    assert (folder / "refine" / "masks" / "p0.png").read_bytes() == before
    stages = "stages=[classify,localize]"
    ended = tiny.weakseg(*tiny.run_arguments(photos, folder, stages), "--overwrite")
    assert ended.code == 0, ended.err
    assert not (folder / "refine").exists()
    assert not (folder / "pictures").exists()


def test_edited_masks_are_neither_ignored_nor_destroyed(copy):
    folder, photos = copy
    mask = folder / "refine" / "masks" / "p0.png"
    values = Image.open(mask)
    values.putpixel((0, 0), 12)
    values.save(mask)
    edited = mask.read_bytes()
    for more in ((), ("refine.background.alpha=2",)):
        line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, folder, *more)))
        assert str(mask) in line
        assert "changed after this run wrote it" in line
        assert mask.read_bytes() == edited
    mask.unlink()
    ended = tiny.weakseg(*tiny.run_arguments(photos, folder))
    assert ended.code == 0, ended.err
    assert mask.exists()
    assert mask.read_bytes() != edited


def test_the_manifest_has_what_is_empty_and_what_is_learnt(finished_run):
    stages = json.loads((finished_run.folder / "manifest.json").read_text())["stages"]
    assert stages["refine"]["summary"]["presence"]["tagged"] == 8
    assert stages["localize"]["summary"]["presence"]["background"]
    assert stages["classify"]["summary"]["tags"]["images"] == 3
    assert "classify: on 3 photos (val): finds" in finished_run.ended.err


def test_one_photo_is_refused_before_anything_is_trained(copy, tmp_path):
    _, photos = copy
    (photos / "ImageSets" / "Segmentation" / "train.txt").write_text("p0\n")
    line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "new")))
    assert "'train' has 1 readable photo; classify, relate, segment cannot learn from fewer than 2" in line
    assert not (tmp_path / "new" / "classify").exists()


def test_masks_that_score_nothing_are_refused_before_anything_is_trained(copy, tmp_path):
    _, photos = copy
    for path in (photos / "SegmentationClassAug").iterdir():
        values = np.asarray(Image.open(path))
        Image.fromarray(np.where((values > 0) & (values < 255), 77, values).astype(np.uint8)).save(path)
    line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "new")))
    assert "none holds a pixel of 'cat' (value 8)" in line
    assert "value 77 of no class" in line
    assert not (tmp_path / "new" / "classify").exists()
