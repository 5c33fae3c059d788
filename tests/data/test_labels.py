from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.labels import VOC_NAMES, check_tags, classes_of_tags, read_classes
from weakseg.errors import WeaksegError

Text = Callable[[Path, str], Path]


@pytest.mark.parametrize(
    ("content", "names", "values"),
    [
        ("cat\ndog\n", ("cat", "dog"), (1, 2)),
        ("\ufeffdog 12\r\ncat 8\r\n\r\n", ("dog", "cat"), (12, 8)),
        ("cat,8\ndog , 12\n", ("cat", "dog"), (8, 12)),
        ("traffic light\t10\n", ("traffic light",), (10,)),
        ("traffic light 10\nwide, white line,11\n", ("traffic light", "wide, white line"), (10, 11)),
        ("traffic light\n7\n", ("traffic light", "7"), (1, 2)),
        ("background 0\ncat 1\n", ("cat",), (1,)),
        ("Background\ncat\n", ("cat",), (1,)),
        ("größe\n猫", ("größe", "猫"), (1, 2)),
        ("__ignore__\n_background_\ncat\ndog\n", ("cat", "dog"), (1, 2)),
        ("0 background\n8 cat\n12: dog\n", ("cat", "dog"), (8, 12)),
        ("cat: 8\ntraffic light: 12\n", ("cat", "traffic light"), (8, 12)),
        ("void 255\ncat 8\n", ("cat",), (8,)),
        ('"lane 2"\n"lane 3"\nroad\n', ("lane 2", "lane 3", "road"), (1, 2, 3)),
        ("\"lane 2\" 7\n'lane 3', 8\n", ("lane 2", "lane 3"), (7, 8)),
        ("lane 2,7\nlane 3,8\n", ("lane 2", "lane 3"), (7, 8)),
        ("lane 1\nlane 2\nlane 3\n", ("lane 1", "lane 2", "lane 3"), (1, 2, 3)),
    ],
)
def test_classes_txt(tmp_path: Path, text: Text, content: str, names: tuple[str, ...], values: tuple[int, ...]) -> None:
    classes = read_classes(text(tmp_path / "classes.txt", content)).classes
    assert (classes.names, classes.values) == (names, values)
    assert len(classes.palette) == 256


def test_voc_values_only_where_asked_for_and_all_are_of_voc(tmp_path: Path, text: Text) -> None:
    path = text(tmp_path / "classes.txt", "sheep\ncat\n")
    assert read_classes(path, voc_values=True).classes.values == (17, 8)
    assert read_classes(path).classes.values == (1, 2)
    assert read_classes(text(path, "sheep\nlynx\n"), voc_values=True).classes.values == (1, 2)
    assert read_classes(text(path, "sheep 3\ncat 4\n"), voc_values=True).classes.values == (3, 4)


def test_a_line_that_is_a_tag_is_a_name(tmp_path: Path, text: Text) -> None:
    path = text(tmp_path / "classes.txt", "lane 2\nroad\n")
    assert read_classes(path, tags={"lane 2"}).classes.names == ("lane 2", "road")
    with pytest.raises(WeaksegError, match=r"on every line or on none \(a name that ends in a number goes in quotes"):
        read_classes(path)


def test_255_is_the_object_where_there_is_one_class(tmp_path: Path, text: Text) -> None:
    found = read_classes(text(tmp_path / "classes.txt", "background 0\nlesion 255\n"))
    assert (found.classes.names, found.classes.values, found.recode) == (("lesion",), (1,), ((255, 1),))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("cat\ncat\n", "line 2: class 'cat' stands there twice"),
        ("cat 3\ndog 3\n", "line 2: mask value 3 of 'dog' must be unique"),
        ("cat 0\n", r"line 1: mask value 0 .* 1\.\.254"),
        ("cat 256\n", r"line 1: mask value 256 .* 1\.\.254"),
        ("cat 1\ndog 255\n", "mask value 255 means ignore; only where there is one class"),
        ("cat 3\ndog\n", "line 2: give a mask value on every line or on none"),
        ("cat\ndog 3\n", "line 2: give a mask value on every line or on none"),
        ("cat,x\n", "line 1: 'cat,x' is not"),
        (",3\n", "line 1: ',3' is not"),
        ("\n\n", "lists no class"),
        ("background\n", "lists no class"),
        ("cat\nbackground\ndog 5\n", "line 3"),
        ("\n".join(f"c{i}" for i in range(255)), "255 classes"),
    ],
)
def test_faults_of_classes_txt(tmp_path: Path, text: Text, content: str, match: str) -> None:
    path = text(tmp_path / "classes.txt", content)
    with pytest.raises(WeaksegError, match=match) as caught:
        read_classes(path)
    assert str(path) in str(caught.value)


def test_classes_txt_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"cat\nk\xe4se\n")
    with pytest.raises(WeaksegError, match=r"classes.txt line 2: not UTF-8"):
        read_classes(tmp_path / "classes.txt")


def test_classes_of_tags() -> None:
    plain = classes_of_tags(["dog", "cat", "dog"], "x")
    assert (plain.names, plain.values) == (("cat", "dog"), (1, 2))
    voc = classes_of_tags(["tvmonitor", "cat", "bird"], "x", voc_values=True)
    assert (voc.names, voc.values) == (("bird", "cat", "tvmonitor"), (3, 8, 20))
    mixed = classes_of_tags(["tvmonitor", "cat", "lynx"], "x", voc_values=True)
    assert (mixed.names, mixed.values) == (("cat", "lynx", "tvmonitor"), (1, 2, 3))
    assert classes_of_tags(VOC_NAMES, "x", voc_values=True).values == tuple(range(1, 21))


def test_tags_that_make_no_classes() -> None:
    with pytest.raises(WeaksegError, match="x: no image has a tag"):
        classes_of_tags([], "x")
    with pytest.raises(WeaksegError, match="'background' is no tag"):
        classes_of_tags(["cat", "background"], "x")


def test_unknown_tags_are_named_with_the_way_out() -> None:
    classes = classes_of_tags(["cat", "dog"], "x")
    check_tags(("cat",), classes, "x", "y")
    with pytest.raises(
        WeaksegError, match=r"tags.csv line 3: 1.jpg: no class 'cta' in classes.txt; available: cat, dog"
    ):
        check_tags(("cat", "cta"), classes, "tags.csv line 3: 1.jpg", "classes.txt")
