import os

import pytest

from weakseg.errors import WeaksegError
from weakseg.files import put_between, read_json, remove_temporary, replacing, write_json


def test_a_file_is_replaced_at_once_and_its_folders_made(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_json(path, {"x": [1, "ü"]})
    assert read_json(path) == {"x": [1, "ü"]}
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["b.json"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, OSError(28, "No space left on device"), RuntimeError])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, fault):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise fault

    with pytest.raises((KeyboardInterrupt, ValueError, WeaksegError)):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(WeaksegError, match=r"file.x\.json: cannot be written \((Not a directory|File exists)\)"):
        write_json(tmp_path / "file" / "x.json", {})

    def full(handle):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeaksegError, match=r"x\.json: cannot be written \(No space left on device\); make room"):
        write_json(tmp_path / "x.json", {})
    assert not (tmp_path / "x.json").exists()


def test_json_that_is_none_is_named(tmp_path):
    assert read_json(tmp_path / "none.json") is None
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(WeaksegError, match=r"half\.json: not readable as JSON"):
        read_json(tmp_path / "half.json")


def test_leftovers_are_removed_at_any_depth(tmp_path):
    (tmp_path / "a").mkdir()
    for name in (".x.1.tmp", "a/.y.2.tmp", "a/kept.tmp"):
        (tmp_path / name).touch()
    remove_temporary(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept.tmp"]


def test_a_table_is_put_between_its_marks(tmp_path):
    path = tmp_path / "doc.md"
    path.write_text("a\n<!-- table:x -->\nold\n<!-- end -->\nb\n<!-- table:y -->\nkeep\n<!-- end -->\n")
    put_between(path, "x", None)
    put_between(path, "x", "| 1 |\n")
    put_between(path, "x", "| 2 \\1 |\n")
    assert path.read_text() == (
        "a\n<!-- table:x -->\n| 2 \\1 |\n<!-- end -->\nb\n<!-- table:y -->\nkeep\n<!-- end -->\n"
    )
    with pytest.raises(WeaksegError, match=r"must hold <!-- table:z --> and <!-- end -->"):
        put_between(path, "z", None)
    with pytest.raises(WeaksegError, match="cannot be read"):
        put_between(tmp_path / "none.md", "x", None)
