import json
from collections import Counter
from shutil import copytree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import tiny
from weakseg.data.images import read_image
from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.execute import execute
from weakseg.recipes.loading import load_recipe
from weakseg.report.words.draw import draw_words
from weakseg.report.words.pages import MARK
from weakseg.report.words.search import find_words, majority, patch_box


def run_of(folder, *overrides, recipe="vwe"):
    photos = tiny.write_photos(folder / "photos")
    overlay = str(tiny.write_overlay(folder))
    settings = ["stages=[classify]", "classify.options.k=6", "classify.train.epochs=1", *overrides]
    return execute(load_recipe(recipe, [overlay], settings), f"voc:{photos}", folder / "run").folder


@pytest.fixture(scope="module")
def vwe_run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("vwe"))


class Planted(nn.Module):
    """A backbone of stride 16 whose features are the means of the photo's colours."""

    strides = (16,)

    def forward(self, images):
        return [nn.functional.avg_pool2d(images, 16)]


class PlantedModel(nn.Module):
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self):
        super().__init__()
        self.backbone = Planted()


def coloured(name, tags, cells):
    """A photo of 4 x 5 cells: black but for ``cells``, (row, column) -> RGB."""
    image = np.zeros((64, 80, 3), dtype=np.uint8)
    for (row, column), colour in cells.items():
        image[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = colour
    return Sample(name, lambda: image, tags), image


def test_the_nearest_cell_of_every_photo_is_found():
    photos = [
        coloured("a", ("cat",), {(0, 0): (200, 20, 0), (3, 4): (90, 80, 0)}),
        coloured("b", ("cat", "dog"), {(2, 2): (100, 0, 0)}),
        coloured("c", ("dog",), {(1, 3): (0, 70, 0)}),
    ]
    codebook = torch.tensor([[1.0, 0, 0], [0, 3, 0], [-1, -1, -1]])
    red, green = find_words(PlantedModel(), codebook, photos, patches=2)
    assert [(patch.photo, patch.similarity) for patch in red.patches] == [
        ("b", 1.0),
        ("a", pytest.approx(0.995, abs=1e-3)),
    ]
    assert [patch.photo for patch in green.patches] == ["c", "a"]
    assert red.patches[0].box == (8, 0, 72, 64)
    assert red.patches[1].box == (0, 0, 64, 64)
    assert (red.number, green.number) == (0, 1)  # nothing is most like the third
    # Black cells are like no word, and so count for the first.
    assert (red.pixels, green.pixels) == (59, 1)
    assert (red.class_name, red.agreement) == ("cat", 1.0)
    assert (green.class_name, green.agreement) == ("dog", 0.5)  # as many photos have a cat; dogs are as rare, and later


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    side=st.integers(1, 70),
    share=st.floats(0, 0.999),
)
def test_patches_lie_in_the_photo_around_their_cell(height, width, rows, columns, side, share):
    cell = int(share * rows * columns)
    left, top, right, bottom = patch_box(cell, (rows, columns), (height, width), side)
    assert (right - left, bottom - top) == (min(side, width), min(side, height))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    centre = (cell % columns + 0.5) * width / columns
    assert left - 1 <= centre <= right + 1


def test_the_majority_is_the_commonest_tag_then_the_rarest_one():
    frequency = {"person": 50, "horse": 5, "cat": 7}
    assert majority([("person", "horse"), ("horse", "person")], frequency) == ("horse", 1.0)
    assert majority([("person",), ("horse", "person"), ("cat",), ()], frequency) == ("person", 0.5)
    assert majority([(), ()], frequency) == ("", 0.0)


def test_words_are_listed_and_drawn(vwe_run, tmp_path):
    folder = draw_words(vwe_run, tmp_path / "words", words=2, patches=3, agreement=1.0).folder
    assert folder == tmp_path / "words"
    listed = json.loads((folder / "words.json").read_text())
    assert (listed["k"], listed["photos"]) == (6, len(tiny.TRAIN))
    assert 1 <= len(listed["words"]) <= 6
    for word in listed["words"]:
        patches = word["patches"]
        assert len({patch["photo"] for patch in patches}) == len(patches) == 3
        similarity = [patch["similarity"] for patch in patches]
        assert similarity == sorted(similarity, reverse=True)
        tags = [tiny.TRAIN[patch["photo"]].split() for patch in patches]
        assert word["agreement"] == pytest.approx(sum(word["class_name"] in names for names in tags) / 3)
        assert word["agrees"] == (word["agreement"] == 1)
    drawn = Counter(word["class_name"] for word in listed["words"] if word["drawn"])
    assert drawn == {name: min(count, 2) for name, count in Counter(w["class_name"] for w in listed["words"]).items()}
    (page,) = folder.glob("*.png")
    reds = (read_image(page) == MARK).all(axis=2).any()
    assert reds == any(word["drawn"] and not word["agrees"] for word in listed["words"])


def test_the_same_call_gives_the_same_files(vwe_run, tmp_path):
    first, second = (draw_words(vwe_run, tmp_path / name).folder for name in ("one", "two"))
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_many_words_take_several_pages(vwe_run, tmp_path, monkeypatch):
    monkeypatch.setattr("weakseg.report.words.pages.ROWS", 1)
    folder = draw_words(vwe_run, tmp_path, patches=2).folder
    drawn = [word for word in json.loads((folder / "words.json").read_text())["words"] if word["drawn"]]
    assert len(list(folder.glob("*.png"))) == len(drawn)
    draw_words(vwe_run, tmp_path, words=1, patches=2)
    left = [word for word in json.loads((folder / "words.json").read_text())["words"] if word["drawn"]]
    assert len(list(folder.glob("*.png"))) == len(left)


def test_a_limit_spreads_over_the_photos(vwe_run, tmp_path):
    listed = json.loads((draw_words(vwe_run, tmp_path, photos=3).folder / "words.json").read_text())
    names = list(tiny.TRAIN)
    assert listed["photos"] == 3
    assert {patch["photo"] for word in listed["words"] for patch in word["patches"]} == {names[0], names[3], names[6]}


def test_an_unreadable_photo_is_left_out(vwe_run, tmp_path):
    copytree(vwe_run.parent, tmp_path / "copy")
    run = tmp_path / "copy" / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["data"] = f"voc:{tmp_path / 'copy' / 'photos'}"
    (run / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "copy" / "photos" / "JPEGImages" / "p1.jpg").write_bytes(b"broken")
    folder = draw_words(run).folder
    assert folder == run / "words"
    listed = json.loads((folder / "words.json").read_text())
    assert listed["photos"] == len(tiny.TRAIN) - 1
    assert "p1" not in {patch["photo"] for word in listed["words"] for patch in word["patches"]}


def test_a_memory_bank_is_drawn_too(tmp_path):
    folder = draw_words(run_of(tmp_path, "classify.options.codebook=memory")).folder
    assert list(folder.glob("words-*.png"))


def test_runs_without_words_are_refused(finished_run, tmp_path):
    with pytest.raises(
        WeaksegError, match="its CAM method cam has no visual words; give a run of the recipe vwe or vwl"
    ):
        draw_words(finished_run.folder)
    with pytest.raises(WeaksegError, match="no weakseg run"):
        draw_words(tmp_path)
    without = run_of(tmp_path, "classify.options.words=false")
    with pytest.raises(WeaksegError, match=r"with classify\.options\.words=true"):
        draw_words(without)
    (without / "classify" / "weights.safetensors").unlink()
    with pytest.raises(WeaksegError, match="no trained CAM network there"):
        draw_words(without)


@pytest.mark.parametrize("name", ["words", "patches", "photos"])
def test_numbers_out_of_range_are_refused(vwe_run, name):
    with pytest.raises(WeaksegError, match=f"{name} must be at least 1, not 0"):
        draw_words(vwe_run, **{name: 0})


def test_a_memory_bank_that_was_never_filled_is_refused(tmp_path):
    run = run_of(tmp_path, "classify.options.codebook=memory", "classify.options.warm_up=1.0")
    with pytest.raises(WeaksegError, match="its memory bank was never filled"):
        draw_words(run)
