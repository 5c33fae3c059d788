"""Masks corrected in a review are told of by an export, and written where it is asked to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import export_readers as readers
import tiny
from hard_masks import CLASSES, SIZE, Made
from weakseg.data.images import write_mask
from weakseg.data.reviews import Review, write_review
from weakseg.errors import WeaksegError
from weakseg.exporters.command import export
from weakseg.pipeline.reviews import reviews_beside


@pytest.fixture
def reviewed(made: Made) -> Path:
    """Reviews beside the run: one mask drawn anew, one drawn as it was, one rejected, one accepted."""
    file = reviews_beside(made.run)
    for name, mask in {"plain": np.full(SIZE, 2, np.uint8), "noise": made.labels["noise"]}.items():
        write_mask(file.parent / "masks" / f"{name}.png", CLASSES.to_values(mask), CLASSES.palette)
        write_review(file, Review(name, "corrected", None, file.parent / "masks" / f"{name}.png"))
    write_review(file, Review("b/3", "rejected"))
    write_review(file, Review("a/1", "accepted"))
    return file


def test_an_export_says_what_it_writes_and_what_not(made: Made, reviewed: Path) -> None:
    ended = tiny.weakseg("export", made.run, "--to", "png")
    assert "what is written: pseudo masks of refine" in ended.out
    assert f"2 of these masks were corrected or rejected: --reviews {reviewed} takes that into account" in ended.out
    reviewed.write_text("no review")
    ended = tiny.weakseg("export", made.run, "--to", "png", "--overwrite")
    assert "corrections are not written, as their file cannot be used" in ended.out
    reviewed.unlink()
    assert "correct" not in tiny.weakseg("export", made.run, "--to", "png", "--overwrite").out


def test_corrected_masks_are_written_where_they_are_asked_for(made: Made, reviewed: Path, tmp_path: Path) -> None:
    ended = tiny.weakseg("export", made.run, "--to", "coco", "--out", tmp_path / "out", "--reviews", reviewed)
    assert ended.code == 0, ended.err
    assert f"of {reviewed}: 2 corrected masks written, 1 rejected ones left out" in ended.out
    found = readers.coco(tmp_path / "out")
    assert set(found) == {"a/1", "a/turned", "plain", "noise"}
    assert (found["plain"] == 2).all()
    np.testing.assert_array_equal(found["a/1"], made.background()["a/1"])


def test_a_corrected_mask_stands_for_the_objects(with_objects: Made, tmp_path: Path) -> None:
    file = tmp_path / "reviews" / "reviews.jsonl"
    write_mask(file.parent / "one.png", CLASSES.to_values(np.full(SIZE, 3, np.uint8)), CLASSES.palette)
    write_review(file, Review("a/1", "corrected", None, file.parent / "one.png"))
    assert export(with_objects.run, "coco", tmp_path / "out", reviews=file).exported.counts["annotations"] == 1
    assert (readers.coco(tmp_path / "out")["a/1"] == 3).all()


def test_reviews_that_leave_nothing_or_fit_nothing(made: Made, predicted: Made, tmp_path: Path) -> None:
    for name in made.labels:
        write_review(tmp_path / "all.jsonl", Review(name, "rejected"))
    with pytest.raises(WeaksegError, match="all 5 masks were rejected, none is left to write"):
        export(made.run, "png", tmp_path / "none", reviews=tmp_path / "all.jsonl")
    line = tiny.error_line(tiny.weakseg("export", predicted.run, "--to", "png", "--reviews", "x.jsonl"))
    assert "--reviews: is for runs" in line
    assert not (tmp_path / "none").exists()
