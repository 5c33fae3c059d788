from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.table import read_table, split_tags
from weakseg.errors import WeaksegError

Text = Callable[[Path, str], Path]
NEEDED = ("image", "tags")


def test_everyday_table(tmp_path: Path, text: Text) -> None:
    rows, problems = read_table(text(tmp_path / "t.csv", "image,tags\na.jpg,cat dog\nb.jpg,\n"), NEEDED)
    assert [(row.line, row.cells) for row in rows] == [
        (2, {"image": "a.jpg", "tags": "cat dog"}),
        (3, {"image": "b.jpg", "tags": ""}),
    ]
    assert problems == []


def test_mark_crlf_quotes_blanks_case_order_and_more_columns(tmp_path: Path, text: Text) -> None:
    content = '\ufeff\r\nTags , author,IMAGE\r\n\r\n"cat;dog","Doe, ""J""","a, b.jpg"\r\n,,\r\n cat ,, c.jpg \r\n'
    rows, problems = read_table(text(tmp_path / "t.csv", content), NEEDED)
    assert [(row.line, row.cells["image"], row.cells["tags"]) for row in rows] == [
        (4, "a, b.jpg", "cat;dog"),
        (6, "c.jpg", "cat"),
    ]
    assert rows[0].cells["author"] == 'Doe, "J"'
    assert problems == []


def test_faulty_rows_are_told_by_line(tmp_path: Path, text: Text) -> None:
    content = "image,tags,mask\na.jpg\nb.jpg,cat\nc.jpg,cat,,dog\n,cat,\nd.jpg,cat,,\n"
    rows, problems = read_table(text(tmp_path / "t.csv", content), NEEDED)
    assert [row.cells["image"] for row in rows] == ["b.jpg", "d.jpg"]
    assert rows[0].cells["mask"] == ""
    assert problems == [
        "t.csv line 2: 1 of 3 fields; row left out",
        "t.csv line 4: 4 fields where the header has 3 (separate tags by space, ; or |); row left out",
        "t.csv line 5: no image; row left out",
    ]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "empty; its first line must name the columns image, tags"),
        ("\n\n", "empty"),
        ("image,label\n", "no column 'tags' .*found: image, label"),
        ("image;tags\na;b\n", r"no column 'image' \(columns are separated by commas\); found: image;tags"),
        ("image,tags,Tags\n", "more than one column 'tags'"),
        ('image,tags\na.jpg,"cat\nb.jpg,dog\n', r"line 3: not valid CSV"),
        ('image,tags\na.jpg,"cat"s\n', r"line 2: not valid CSV"),
    ],
)
def test_faulty_tables(tmp_path: Path, text: Text, content: str, match: str) -> None:
    with pytest.raises(WeaksegError, match=match) as caught:
        read_table(text(tmp_path / "t.csv", content), NEEDED)
    assert str(tmp_path / "t.csv") in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("image,tags\na.jpg,käse\n".encode("latin-1"))
    with pytest.raises(WeaksegError, match="line 2: not UTF-8 text; save the file as UTF-8"):
        read_table(tmp_path / "t.csv", NEEDED)
    with pytest.raises(WeaksegError, match="No such file"):
        read_table(tmp_path / "u.csv", NEEDED)
    with pytest.raises(WeaksegError, match="Is a directory"):
        read_table(tmp_path, NEEDED)


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("cat dog", ("cat", "dog")),
        ("cat;dog", ("cat", "dog")),
        ("cat|dog", ("cat", "dog")),
        (" cat ;  | dog|", ("cat", "dog")),
        ("traffic light; car", ("traffic light", "car")),
        ("traffic light;", ("traffic light",)),
        ("cat\tcat  dog", ("cat", "dog")),
        ("", ()),
        (" ; ", ()),
    ],
)
def test_tags_of_a_cell(cell: str, tags: tuple[str, ...]) -> None:
    assert split_tags(cell) == tags


def test_a_known_name_may_hold_spaces() -> None:
    assert split_tags("traffic light", ("traffic light", "car")) == ("traffic light",)
    assert split_tags("traffic light", ("car",)) == ("traffic", "light")
