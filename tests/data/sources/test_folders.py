from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.sample import Source
from weakseg.data.sources.folders import open_folders
from weakseg.errors import WeaksegError


@pytest.fixture
def tree(tmp_path: Path, photo: Callable[..., Path]) -> Callable[..., Source]:
    def make(*names: str) -> Source:
        for name in names:
            photo(tmp_path / name)
        return open_folders(tmp_path)

    return make


Tree = Callable[..., Source]


def ids(source: Source) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    return {split: [(s.id, s.tags) for s in samples] for split, samples in source.splits.items()}


def test_a_folder_per_tag(tree: Tree) -> None:
    source = tree("dog/1.jpg", "cat/2.PNG", "cat/deep/1.jpg", "traffic light/1.jpg")
    assert (source.classes.names, source.classes.values) == (("cat", "dog", "traffic light"), (1, 2, 3))
    assert ids(source) == {
        "train": [
            ("cat/2", ("cat",)),
            ("cat/deep/1", ("cat",)),
            ("dog/1", ("dog",)),
            ("traffic light/1", ("traffic light",)),
        ]
    }
    assert source.splits["train"][0].read_image().shape == (6, 8, 3)
    assert (source.problems, source.warnings) == ((), ())


def test_names_in_two_folders_or_with_two_suffixes_stay_two_samples(tree: Tree) -> None:
    source = tree("cat/1.jpg", "dog/1.jpg", "dog/1.png")
    assert ids(source)["train"] == [("cat/1", ("cat",)), ("dog/1", ("dog",)), ("dog/1-png", ("dog",))]


def test_one_picture_in_two_tag_folders_is_one_sample(tree: Tree, tmp_path: Path, photo: Callable[..., Path]) -> None:
    for name in ("cat/1.jpg", "dog/1.jpg", "dog/2.jpg"):
        photo(tmp_path / name, shade=50)
    photo(tmp_path / "Dog/3.jpg")
    source = tree()
    assert source.classes.names == ("cat", "dog")
    assert ids(source)["train"] == [("Dog/3", ("dog",)), ("cat/1", ("cat", "dog")), ("dog/2", ("dog",))]
    assert any("(dog/1 is cat/1)" in line for line in source.warnings)


def test_photos_that_are_not_read_are_counted(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for name in ("a.heic", "b.HEIC", "c.nef", ".d.heic"):
        (tmp_path / "cat" / name).touch()
    source = tree("cat/1.jfif.jpg", "cat/2.jpg")
    assert source.warnings == (
        f"{tmp_path}: photos of kinds that are not read, left out: 2 .heic, 1 .nef; convert them to JPEG or PNG",
    )


def test_train_val_and_test_with_tag_folders_are_splits(tree: Tree) -> None:
    source = tree("train/cat/1.jpg", "train/dog/2.jpg", "val/cat/1.jpg", "test/cow/1.jpg")
    assert ids(source) == {
        "train": [("train/cat/1", ("cat",)), ("train/dog/2", ("dog",))],
        "val": [("val/cat/1", ("cat",))],
        "test": [("test/cow/1", ("cow",))],
    }
    assert source.classes.names == ("cat", "cow", "dog")


def test_train_alone_is_a_split_only_where_nothing_else_is(tree: Tree) -> None:
    assert list(tree("train/cat/1.jpg").splits) == ["train"]
    assert tree().classes.names == ("cat",)
    assert tree("bus/1.jpg").classes.names == ("bus", "train")


def test_train_may_be_a_tag(tree: Tree) -> None:
    source = tree("train/1.jpg", "val/1.jpg", "car/1.jpg")
    assert source.classes.names == ("car", "train", "val")
    assert list(source.splits) == ["train"]


def test_what_is_not_read_is_told(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    source = tree("cat/1.jpg", "loose.jpg", ".trash/2.jpg")
    assert source.classes.names == ("cat",)
    assert source.warnings == (
        f"{tmp_path}: no image in empty",
        f"{tmp_path}: 1 images in no tag folder, left out",
    )


def test_folders_beside_splits_are_told(tree: Tree, tmp_path: Path) -> None:
    source = tree("train/cat/1.jpg", "val/cat/1.jpg", "extra/cow/1.jpg")
    assert source.classes.names == ("cat",)
    assert source.warnings == (f"{tmp_path}: neither train, val nor test, so not read: extra",)


def test_no_folder_or_nothing_in_it(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match="no such folder; folders:PATH wants"):
        open_folders(tmp_path / "missing")
    with pytest.raises(WeaksegError, match="no folder with images"):
        tree("loose.jpg")
