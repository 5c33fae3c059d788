from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.sources.table import read_tag_table
from weakseg.errors import WeaksegError

Text = Callable[[Path, str], Path]


def rows(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    table = read_tag_table(path)
    assert table.problems == []
    return [(row.image, row.tags) for row in table.rows]


def test_everyday_table(tmp_path: Path, text: Text) -> None:
    table = read_tag_table(text(tmp_path / "t.csv", "image,tags\na.jpg,cat dog\nb.jpg,\n"))
    assert [(row.line, row.image, row.tags, row.mask, row.split) for row in table.rows] == [
        (2, "a.jpg", ("cat", "dog"), "", ""),
        (3, "b.jpg", (), "", ""),
    ]
    assert (table.problems, table.warnings) == ([], [])


def test_mark_crlf_quotes_blanks_case_order_and_more_columns(tmp_path: Path, text: Text) -> None:
    content = '\ufeff\r\nTags , author,IMAGE\r\n\r\n"cat;dog","Doe, ""J""","a, b.jpg"\r\n,,\r\n cat ,, c.jpg \r\n'
    table = read_tag_table(text(tmp_path / "t.csv", content))
    assert [(row.line, row.image, row.tags) for row in table.rows] == [
        (4, "a, b.jpg", ("cat", "dog")),
        (6, "c.jpg", ("cat",)),
    ]
    assert table.problems == []


@pytest.mark.parametrize(
    "content",
    [
        "Image;Tags\r\na.jpg;cat, dog\r\nb.jpg;\r\n",
        "sep=;\r\nImage;Tags\r\na.jpg;cat dog\r\nb.jpg;nan\r\n",
        "filename\tlabels\na.jpg\tcat;dog\nb.jpg\t\n",
        "file_name|category\na.jpg|cat dog\nb.jpg|none\n",
        'path,class\na.jpg,"cat, dog"\nb.jpg,[]\n',
        "path,class\na.jpg,cat,dog\nb.jpg,\n",
        "id,image path,labels\n1,a.jpg,\"['cat', 'dog']\"\n2,b.jpg,[]\n",
        "a.jpg cat dog\nb.jpg\n",
        "a.jpg\tcat; dog\n\nb.jpg\n",
        "a.jpg,cat,dog\nb.jpg,\n",
        "image,cat,dog\na.jpg,1,1\nb.jpg,0,0\n",
        "image,cat,dog\na.jpg,True,True\nb.jpg,False,\n",
        "cat;note;dog;photo\nyes;bright;x;a.jpg\nno;dark;;b.jpg\n",
    ],
)
def test_forms_of_one_table(tmp_path: Path, text: Text, content: str) -> None:
    assert rows(text(tmp_path / "t.csv", content)) == [("a.jpg", ("cat", "dog")), ("b.jpg", ())]


def test_excel_saves_unicode_text_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes("Image\tTags\r\nüber.jpg\tcat\r\n".encode("utf-16"))
    assert rows(tmp_path / "t.txt") == [("über.jpg", ("cat",))]


def test_names_with_spaces_of_some_rows_are_known_to_all(tmp_path: Path, text: Text) -> None:
    path = text(tmp_path / "t.csv", "image,tags\na.jpg,traffic light\nb.jpg,traffic light; car\nc.jpg,car bus\n")
    assert [tags for _, tags in rows(path)] == [("traffic light",), ("traffic light", "car"), ("car", "bus")]


def test_what_is_guessed_or_not_read_is_told(tmp_path: Path, text: Text) -> None:
    table = read_tag_table(text(tmp_path / "t.csv", "image,cat,dog,author,empty\na.jpg,1,0,Doe,\nb.jpg,0,1,Roe,\n"))
    assert table.warnings == [
        "t.csv: columns taken as classes: cat, dog",
        "t.csv: columns that are not 0 and 1, not read: author, empty",
    ]
    plain = read_tag_table(text(tmp_path / "t.txt", "my photo.jpg cat\nnotes\n"))
    assert [(row.line, row.image, row.tags) for row in plain.rows] == [(1, "my photo.jpg", ("cat",))]
    assert plain.problems == ["t.txt line 2: does not begin with an image file; row left out"]
    assert plain.warnings == ["t.txt: no header, so every line is taken as an image and its tags"]


def test_faulty_rows_are_told_by_line(tmp_path: Path, text: Text) -> None:
    content = "image,tags,mask\na.jpg\nb.jpg,cat\nc.jpg,cat,,dog\n,cat,\nd.jpg,cat,,\n"
    table = read_tag_table(text(tmp_path / "t.csv", content))
    assert [(row.image, row.mask) for row in table.rows] == [("b.jpg", ""), ("d.jpg", "")]
    assert table.problems == [
        "t.csv line 2: 1 of 3 fields; row left out",
        "t.csv line 4: 4 fields where the header has 3 (put quotes around cells with commas); row left out",
        "t.csv line 5: no image; row left out",
    ]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "empty; its first line must name the columns image, tags"),
        ("\n\n", "empty"),
        ("image,colour\na.jpg,red\n", "no column 'tags' .*, nor columns of 0 and 1 .*; found: image, colour"),
        ("a;b\nc;d\n", "no column 'image' .*separated by comma, semicolon, tab or bar; found: a;b"),
        ("image,tags,Tags\n", "more than one column 'tags'"),
        ("photo,img,tags\n", r"more than one column 'image' \(photo, img\); rename all but one"),
        ('image,tags\na.jpg,"cat\nb.jpg,dog\n', r"line 3: not valid CSV"),
        ('image,tags\na.jpg,"cat"s\n', r"line 2: not valid CSV"),
    ],
)
def test_faulty_tables(tmp_path: Path, text: Text, content: str, match: str) -> None:
    with pytest.raises(WeaksegError, match=match) as caught:
        read_tag_table(text(tmp_path / "t.csv", content))
    assert str(tmp_path / "t.csv") in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("image,tags\na.jpg,käse\n".encode("latin-1"))
    with pytest.raises(WeaksegError, match="line 2: not UTF-8 text; save the file as UTF-8"):
        read_tag_table(tmp_path / "t.csv")
    with pytest.raises(WeaksegError, match="No such file"):
        read_tag_table(tmp_path / "u.csv")
    with pytest.raises(WeaksegError, match="Is a directory"):
        read_tag_table(tmp_path)
