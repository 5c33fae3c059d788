"""What `weakseg export` makes of its options and of runs that lack something."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from hard_masks import Made
from weakseg.exporters.command import default_out


def export(*arguments: object) -> tiny.Ended:
    return tiny.weakseg("export", *arguments)


def test_a_run_is_exported_into_itself_and_told(made: Made) -> None:
    ended = export(made.run, "--to", "coco")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"wrote 5 photos, 8 annotations: {made.run}/export/coco/annotations.json\n")
    assert "the photos stay where they are" in ended.out
    assert export(made.run, "--to", "coco", "--overwrite").code == 0


def test_predictions_are_exported_beside_their_folder(predicted: Made) -> None:
    ended = export(predicted.run, "--to", "png")
    assert ended.code == 0, ended.err
    assert len(list((predicted.run.parent / "out-png" / "masks").rglob("*.png"))) == 3
    assert default_out(predicted.run / "masks", "png").name == "masks-png"
    line = tiny.error_line(export(predicted.run, "--to", "coco", "--what", "masks"))
    assert "--what masks: is for runs" in line


def test_a_stage_that_has_not_ended_is_named(made: Made) -> None:
    line = tiny.error_line(export(made.run, "--to", "coco", "--what", "predictions"))
    assert "no predictions there, as the stage predict has not ended; finish `weakseg run`" in line
    shutil.rmtree(made.run / "refine")
    line = tiny.error_line(export(made.run, "--to", "coco"))
    assert "no masks there, as the stage refine has not ended" in line
    line = tiny.error_line(export(made.run, "--to", "onnx"))
    assert "is it the directory of a finished `weakseg run`" in line
    assert not (made.run / "export").exists()


def test_photos_that_have_moved(made: Made, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "moved")
    line = tiny.error_line(export(made.run, "--to", "coco"))
    assert "no such file" in line or "cannot be read" in line
    assert "say where they are now with --data" in line
    assert export(made.run, "--to", "coco", "--data", tmp_path / "moved" / "photos.csv").code == 0


def test_photos_and_masks_without_each_other_are_counted(made: Made) -> None:
    masks = made.run / "refine" / "masks"
    (masks / "plain.png").rename(masks / "stranger.png")
    ended = export(made.run, "--to", "coco")
    assert "1 photos of csv:" in ended.out
    assert "have no mask and are left out" in ended.out
    assert "1 masks are of no photo of csv:" in ended.out


def test_a_mask_of_another_size_or_value(made: Made) -> None:
    mask = made.run / "refine" / "masks" / "plain.png"
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(mask)
    assert f"{mask}: 4x3, but" in tiny.error_line(export(made.run, "--to", "coco"))
    Image.fromarray(np.full((40, 52), 99, np.uint8)).save(mask)
    assert f"{mask}: value 99 is of no class" in tiny.error_line(export(made.run, "--to", "png"))
    assert not (made.run / "export" / "coco").exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--to", "tfrecord"), "unknown format 'tfrecord'; available: coco, voc, png, cvat, label-studio, yolo, onnx"),
        (("--to", "coco", "--what", "all"), "unknown value of --what 'all'; available: masks, predictions"),
        (("--to", "coco", "--photos", "link"), "unknown value of --photos 'link'; available: copy, stay"),
        (("--to", "onnx", "--what", "masks"), "--what: is for masks; an export to onnx is of the network"),
    ],
)
def test_options_that_are_none(made: Made, arguments: tuple[str, ...], match: str) -> None:
    assert match in tiny.error_line(export(made.run, *arguments))


def test_a_folder_of_others_is_left_alone(made: Made, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    line = tiny.error_line(export(made.run, "--to", "coco", "--out", tmp_path / "mine", "--overwrite"))
    assert "holds files that `weakseg export` has not written; choose another --out" in line
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
