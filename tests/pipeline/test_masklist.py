"""masks.csv, as written and read again; `weakseg doubtful` from a run."""

from __future__ import annotations

import json

import pytest

import tiny
from weakseg.errors import WeaksegError
from weakseg.evaluation.expected import Expected
from weakseg.pipeline.masklist import read_mask_list, write_mask_list


def test_a_list_is_read_as_it_was_written(tmp_path):
    rows = [Expected("a,b/1", "fire, hydrant", 0.25, 0.5, None, 0.75), Expected("ü", "cat", 0.0, 0.0, 0.125, 0.0)]
    write_mask_list(tmp_path, rows)
    assert read_mask_list(tmp_path) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "no such list"), ("id,class\na,cat\n", r"masks\.csv line 2: no line"), ("\x00\n\x00", "masks.csv")],
)
def test_another_file_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "masks.csv").write_text(text)
    with pytest.raises(WeaksegError, match=message):
        read_mask_list(tmp_path)


def test_the_doubtful_come_first(finished_run):
    folder = finished_run.folder
    ended = tiny.weakseg("doubtful", folder, "--json", "--count", "3")
    assert ended.code == 0, ended.err
    photos = json.loads(ended.out)["photos"]
    mean = [sum(tag["iou"] for tag in photo["tags"]) / len(photo["tags"]) for photo in photos]
    assert len(photos) == 3
    assert mean == sorted(mean)
    printed = tiny.weakseg("doubtful", folder, "--count", "1")
    assert photos[0]["id"] in printed.out
    wrong = tiny.weakseg("doubtful", folder, "--class", "gnu")
    assert wrong.code == 2
    assert "unknown class 'gnu'" in wrong.err
