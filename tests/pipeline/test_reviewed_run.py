"""Reviews in a run: drawn masks teach, rejected ones do not, changed tags redo what they touch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from weakseg.data.images import read_mask, write_gray
from weakseg.data.reviews import Review, write_review
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.pipeline.stages.selftrain import label_anew
from weakseg.segmentation.inference import PredictSettings

EARLY = ("classify", "localize", "relate", "refine")


@pytest.fixture
def copy(tmp_path, finished_run):
    return shutil.copytree(finished_run.folder, tmp_path / "run")


def keys(folder: Path) -> dict[str, str]:
    stages = json.loads((folder / "manifest.json").read_text())["stages"]
    return {name: record["key"] for name, record in stages.items()}


def draw(folder: Path, photos: Path, *names: str) -> None:
    """Reviews whose masks are the true ones."""
    for name in names:
        mask = folder / "masks" / f"{name}.png"
        write_gray(mask, read_mask(photos / "SegmentationClassAug" / f"{name}.png"))
        write_review(folder / "reviews.jsonl", Review(name, "corrected", mask=mask))


def again(finished_run, folder: Path, reviews: Path, *more: str) -> tiny.Ended:
    return tiny.weakseg(*tiny.run_arguments(finished_run.photos, folder, f"data.reviews={reviews}", *more))


def test_drawn_and_rejected_masks_redo_the_training_on_masks_alone(copy, finished_run, tmp_path):
    reviews = tmp_path / "said" / "reviews.jsonl"
    draw(reviews.parent, finished_run.photos, "p0", "p1", "p4")
    write_review(reviews, Review("p2", "rejected"))
    write_review(reviews, Review("p5", "accepted", ("cow",)))
    for name in ("nobody", "neither", "v0"):
        write_review(reviews, Review(name, "accepted"))
    before, weights = keys(copy), (copy / "segment" / "weights.safetensors").read_bytes()
    refined = (copy / "refine" / "masks" / "p0.png").read_bytes()
    ended = again(finished_run, copy, reviews)
    assert ended.code == 0, ended.err
    after = keys(copy)
    assert {name for name in before if before[name] != after[name]} == {"segment", "predict", "evaluate"}
    assert (copy / "segment" / "weights.safetensors").read_bytes() != weights
    assert (copy / "refine" / "masks" / "p0.png").read_bytes() == refined
    manifest = json.loads((copy / "manifest.json").read_text())
    told = manifest["reviews"]
    assert (told["drawn"], told["rejected"], told["accepted"], told["retagged"]) == (3, 1, 1, 0)
    assert told["unknown"] == ["nobody", "neither", "v0"]
    assert manifest["masks_used"] | {"for_choosing": ""} == {"for_training": False, "for_choosing": "", "drawn": 3}
    said = "3 reviews of "
    assert any(said in line and "(nobody, neither, v0)" in line for line in manifest["warnings"])
    assert said in " ".join(ended.err.split())
    assert "3 masks drawn by hand" in ended.out
    assert "3 masks drawn by hand" in (copy / "report.html").read_text()
    once_more = again(finished_run, copy, reviews)
    assert once_more.err.count("done before, unchanged") == len(before)


def test_reviews_that_only_accept_change_no_key(copy, finished_run, tmp_path):
    reviews = tmp_path / "reviews.jsonl"
    write_review(reviews, Review("p0", "accepted", ("cat",)))
    before = keys(copy)
    assert again(finished_run, copy, reviews).code == 0
    assert keys(copy) == before


def test_another_drawing_is_another_key(copy, finished_run, tmp_path):
    reviews, stages = tmp_path / "said" / "reviews.jsonl", ("stages=[classify,localize,relate,refine,segment]",)
    draw(reviews.parent, finished_run.photos, "p0")
    assert again(finished_run, copy, reviews, *stages).code == 0
    before = keys(copy)
    mask = reviews.parent / "masks" / "p0.png"
    values = read_mask(mask)
    values[-1] = 12
    write_gray(mask, values)
    assert again(finished_run, copy, reviews, *stages).code == 0
    after = keys(copy)
    assert {name for name in before if before[name] != after[name]} == {"segment"}


def test_changed_tags_redo_what_they_touch(copy, finished_run, tmp_path):
    reviews, before = tmp_path / "reviews.jsonl", keys(copy)
    write_review(reviews, Review("p0", "tags", ("dog",)))
    ended = again(finished_run, copy, reviews, "stages=[classify,localize,relate,refine]")
    assert ended.code == 0, ended.err
    after = keys(copy)
    assert all(before[name] != after[name] for name in EARLY)
    assert set(np.unique(read_mask(copy / "refine" / "masks" / "p0.png")).tolist()) <= {0, tiny.CLASSES["dog"]}
    assert "1 photos with tags changed by hand" in ended.out


def _wrong_size(folder: Path) -> str:
    write_gray(folder / "m.png", np.zeros((3, 3), np.uint8))
    return '{"id": "p0", "decision": "corrected", "mask": "m.png"}'


def _strange_value(folder: Path) -> str:
    write_gray(folder / "m.png", np.full((48, 64), 77, np.uint8))
    return '{"id": "p0", "decision": "corrected", "mask": "m.png"}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (lambda folder: '{"id": "p0"', "line 1: not valid JSON"),
        (
            lambda folder: '{"id": "p0", "decision": "tags", "tags": ["catt"]}',
            "unknown class 'catt'; available: cat, cow",
        ),
        (lambda folder: '{"id": "p0", "decision": "corrected", "mask": "gone.png"}', "gone.png"),
        (_wrong_size, "a mask of 3x3, but the photo p0 is 64x48"),
        (_strange_value, "holds the value 77, which is of no class (cat 8, cow 10, dog 12"),
        (
            lambda folder: "\n".join(f'{{"id": "{name}", "decision": "rejected"}}' for name in [*tiny.TRAIN][1:]),
            "rejects 8 of 9 masks; segment cannot learn from fewer than 2",
        ),
    ],
)
def test_bad_reviews_are_one_line_before_anything_is_trained(line, said, finished_run, tmp_path):
    reviews = tmp_path / "said" / "reviews.jsonl"
    reviews.parent.mkdir()
    reviews.write_text(line(reviews.parent))
    found = tiny.error_line(again(finished_run, tmp_path / "new", reviews))
    assert "data.reviews: " in found
    assert str(reviews.parent) in found
    assert said in found
    assert not (tmp_path / "new" / "classify").exists()


def test_a_file_that_is_not_there_is_named(finished_run, tmp_path):
    found = tiny.error_line(again(finished_run, tmp_path / "new", tmp_path / "none.jsonl"))
    assert f"data.reviews: {tmp_path / 'none.jsonl'}" in found


class _AllDogs(torch.nn.Module):
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(images), 3, *images.shape[2:])
        scores[:, 2] = 9
        return scores


def test_relabelling_keeps_drawn_masks_to_the_byte(tmp_path):
    classes = Classes(("cat", "dog"), (8, 12), ((0, 0, 0),) * 256)
    values = np.zeros((40, 40), np.uint8)
    values[:9], values[20:30], values[33] = 8, 12, 255
    samples = [Sample(name, lambda: np.zeros((40, 40, 3), np.uint8), ("cat", "dog")) for name in ("drawn", "pseudo")]
    label_anew(
        _AllDogs(),
        ImageSet(classes, samples),
        lambda sample: values,
        lambda sample: tmp_path / f"{sample.id}.png",
        lambda sample: tmp_path / f"{sample.id}-sure.png",
        views=PredictSettings(scales=(1.0,), flip=False),
        long_side=None,
        device=torch.device("cpu"),
        drawn={"drawn"},
    )
    assert np.array_equal(read_mask(tmp_path / "drawn.png"), values)
    assert np.asarray(Image.open(tmp_path / "drawn-sure.png")).min() == 255
    assert not np.array_equal(read_mask(tmp_path / "pseudo.png"), values)
