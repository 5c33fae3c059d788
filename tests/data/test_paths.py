from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.data.paths import list_images, safe_id, unique_ids


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("2007_000032.jpg", "2007_000032"),
        ("cat/17.JPG", "cat/17"),
        ("a.b.c.png", "a.b.c"),
        ("../../photos/1.jpg", "photos/1"),
        ("/data/photos/1.jpg", "data/photos/1"),
        ("./a//b.jpg", "a/b"),
        ("...jpg", "image"),
        ("a..b.jpg", "a_b"),
        ("a\\b\n.jpg", "a_b_"),
        ("über straße/猫.jpg", "über straße/猫"),
    ],
)
def test_ids(path: str, expected: str) -> None:
    assert safe_id(PurePosixPath(path)) == expected


def test_ids_of_windows_paths() -> None:
    assert safe_id(PureWindowsPath("C:\\photos\\1.jpg")) == "photos/1"


@given(st.lists(st.text(alphabet="aB.\\/ -1\n", min_size=1, max_size=8).map(PurePosixPath), max_size=12))
def test_ids_are_safe_and_unique(paths: list[PurePosixPath]) -> None:
    ids = unique_ids(paths)
    assert len(ids) == len(paths)
    assert len({name.casefold() for name in ids}) == len(ids)
    for name in ids:
        assert ".." not in name
        assert name.isprintable()
        assert not PurePosixPath(name).is_absolute()
        assert name == str(PurePosixPath(name))
        assert name != "."


def test_ids_that_would_share_a_file() -> None:
    paths = map(PurePosixPath, ["a/1.jpg", "a/1.png", "A/1.jpg", "a/1-png.jpg", "b/1.jpg"])
    assert unique_ids(paths) == ["a/1", "a/1-png", "A/1-jpg", "a/1-png-jpg", "b/1"]


def test_images_are_listed_by_suffix_in_order(tmp_path: Path, photo: Callable[..., Path]) -> None:
    for name in ("b/2.JPG", "a/1.png", "b/.3.jpg", ".hidden/4.jpg", "__MACOSX/5.jpg"):
        photo(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert list_images(tmp_path) == [tmp_path / "a/1.png", tmp_path / "b/2.JPG"]
