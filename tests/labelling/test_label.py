"""`weakseg label` on one machine: masks, index, restarts, and what it refuses."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest

import labelled
import tiny
from weakseg.data.images import read_mask
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.labelling import work
from weakseg.labelling.label import label

NAMES = sorted([*tiny.TRAIN, *tiny.VAL])


@pytest.fixture(scope="module")
def photos(finished_run):
    return finished_run.photos / "JPEGImages"


@pytest.fixture(scope="module")
def once(tmp_path_factory, lively_run, photos):
    """All photos in one call, five to a part."""
    out = tmp_path_factory.mktemp("once") / "out"
    ended = tiny.weakseg("label", lively_run, "--data", photos, "--out", out, "--part", 5, "--json")
    assert ended.code == 0, ended.err
    return out, json.loads(ended.out)


def test_the_masks_are_those_of_predict(once, lively_run, photos, tmp_path):
    assert tiny.weakseg("predict", lively_run, photos, "--out", tmp_path / "predicted").code == 0
    found = labelled.files(once[0])
    assert sorted(found) == sorted(f"{name}.png" for name in NAMES)
    assert found == labelled.files(tmp_path / "predicted")


def test_the_index_says_what_is_in_the_masks(once, photos):
    out, told = once
    rows = labelled.index(out)
    assert [row["id"] for row in rows] == NAMES
    assert len(list((out / "index").iterdir())) == 3
    values = dict(zip(tiny.CLASSES.values(), tiny.CLASSES, strict=True))
    for row in rows:
        mask = read_mask(out / row["mask"])
        assert mask.shape == (row["height"], row["width"])
        assert row["photo"] == str(photos / f"{row['id']}.jpg")
        areas = {values[value]: float((mask == value).mean()) for value in np.unique(mask) if value}
        assert dict(zip(row["classes"], row["areas"], strict=True)) == pytest.approx(areas)
        assert 0.25 < row["confidence"] <= 1
        assert row["left_out"] is None
    assert any(len(row["classes"]) > 1 for row in rows)
    counted = {name: sum(name in row["classes"] for row in rows) for name in tiny.CLASSES}
    assert told["classes"] == {name: count for name, count in sorted(counted.items()) if count}
    assert (told["count"], told["left_out"], told["done_before"]) == (12, 0, 0)


def test_what_is_done_is_not_done_again(once, lively_run, photos, tmp_path):
    out = shutil.copytree(once[0], tmp_path / "out")
    whole = {kind: labelled.files(out, kind) for kind in ("masks", "index")}
    (out / "index" / "000001.parquet").unlink()
    (out / "masks" / "p5.png").unlink()  # of the part that is not done
    kept = out / "masks" / "p0.png"
    kept.write_bytes(b"as it was")  # of one that is
    ended = tiny.weakseg("label", lively_run, "--data", photos, "--out", out, "--part", 5)
    assert "label: 7 photos were done before\n" in ended.err
    assert f"12 masks in {out}/masks, listed in {out}/index, 7 photos of them done before" in ended.out
    assert kept.read_bytes() == b"as it was"
    assert labelled.files(out) == whole["masks"] | {"p0.png": b"as it was"}
    assert labelled.files(out, "index") == whole["index"]


def test_an_end_in_a_part_leaves_nothing_of_it_in_the_index(lively_run, photos, tmp_path, once, monkeypatch):
    arguments = ["label", lively_run, "--data", photos, "--out", tmp_path / "out", "--part", 5]
    with monkeypatch.context() as patched:

        def write(output, number, rows, before=work.write_part):
            if number == 1:
                raise KeyboardInterrupt
            before(output, number, rows)

        patched.setattr(work, "write_part", write)
        assert tiny.weakseg(*arguments).code == 130
    assert len(labelled.files(tmp_path / "out")) == 10
    assert [row["id"] for row in labelled.index(tmp_path / "out")] == NAMES[:5]
    assert tiny.weakseg(*arguments).code == 0
    for kind in ("masks", "index"):
        assert labelled.files(tmp_path / "out", kind) == labelled.files(once[0], kind)


def test_bad_photos_are_left_out_by_name_and_may_be_tried_again(lively_run, photos, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("p0.jpg", "p1.jpg"):
        shutil.copy(photos / name, tmp_path / "in")
    bad = tmp_path / "in" / "bad.jpg"
    bad.write_text("hello")
    arguments = ["label", lively_run, "--data", tmp_path / "in", "--out", tmp_path / "out"]
    ended = tiny.weakseg(*arguments, "--quiet")
    assert ended.err == f"left out: {bad}: no picture in a known format\n"
    assert "2 masks in" in ended.out
    assert "; 1 left out" in ended.out
    rows = {row["id"]: row for row in labelled.index(tmp_path / "out")}
    assert rows["bad"]["left_out"] == f"{bad}: no picture in a known format"
    assert rows["bad"]["mask"] is rows["bad"]["classes"] is None
    shutil.copy(photos / "p2.jpg", bad)
    assert "1 left out" in tiny.weakseg(*arguments).out
    assert "3 masks in" in tiny.weakseg(*arguments, "--retry").out
    assert len(labelled.index(tmp_path / "out")) == 3


def test_a_part_in_flight_stops_at_a_mask_that_cannot_be_written(lively_run, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "masks").write_text("in the way")
    with pytest.raises(WeaksegError, match=r"masks/.*cannot be written"):
        label(lively_run, str(photos), str(tmp_path / "out"))
    assert not (tmp_path / "out" / "index").exists()


def test_few_photos_are_in_memory(lively_run, photos, tmp_path, monkeypatch):
    held, most = [], []
    network = work.RunNetwork

    def read(self, photo, before=network.read):
        held.append(photo.id)
        most.append(len(held))
        return before(self, photo)

    def mask(self, name, image, before=network.mask):
        held.remove(name)
        return before(self, name, image)

    monkeypatch.setattr(network, "read", read)
    monkeypatch.setattr(network, "mask", mask)
    label(lively_run, "scenes:16", str(tmp_path), split="train")
    assert 1 < max(most) <= work.AHEAD + work.READERS


def test_mistakes_are_one_line(lively_run, photos, tmp_path, once):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.jpg").write_text("hello")
    (tmp_path / "other" / "masks").mkdir(parents=True)
    (tmp_path / "other" / "masks" / "a.png").touch()
    out = ("--out", tmp_path / "out")
    for arguments, named in (
        ((tmp_path / "none", "--data", photos, *out), "no weakseg run"),
        ((lively_run, "--data", tmp_path / "nothing", *out), "no such file or folder"),
        ((lively_run, "--data", tmp_path / "empty", *out), "no images there; known are .jpg"),
        ((lively_run, "--data", tmp_path / "bad", "--out", tmp_path / "none"), "none of 1 images could be read; the"),
        ((lively_run, "--data", photos, "--out", once[0]), "was begun with another --part; choose another --out"),
        ((lively_run, "--data", "scenes:4", "--out", once[0], "--part", 5), "was begun with other photos"),
        ((lively_run, "--data", photos, "--out", tmp_path / "other"), "holds masks of no `weakseg label`"),
        ((lively_run, "--data", photos, *out, "--engine", "spark"), "unknown engine 'spark'; available: local, ray"),
        ((lively_run, "--data", photos, *out, "--split", "val"), "leave --split away"),
        ((lively_run, "--data", photos, *out, "--shards", 2, "--part", 2), "leave it away"),
        ((lively_run, "--data", "shards:none.tar", *out), "no such file"),
        ((lively_run, "--data", f"shards:{tmp_path}/a-*.tar", *out), "no such files"),
        ((lively_run, "--data", "shards:a-{9..1}.tar", *out), "must go upwards"),
        ((lively_run, "--data", "nowhere://photos", *out), "cannot be opened (Protocol not known: nowhere)"),
        ((lively_run, "--data", photos, "--out", "http://localhost/labels"), "http can be read, not written"),
        ((lively_run, "--data", photos, "--out", "memory://x", "--engine", "ray"), "is of one process alone"),
    ):
        assert named in tiny.error_line(tiny.weakseg("label", *arguments, "-q")), arguments


@pytest.mark.parametrize("package", ["ray", "pyarrow"])
def test_a_missing_package_is_told_with_the_way_to_get_it(package, lively_run, photos, tmp_path, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith("weakseg.labelling") or name == "weakseg.report.labelled"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    ended = tiny.weakseg("label", lively_run, "--data", photos, "--out", tmp_path, "--engine", "ray")
    line = tiny.error_line(ended)
    assert f"needs {package}; install it with: pip install 'weakseg[ray]'" in line


def test_classes_are_listed(once):
    assert (once[0] / "classes.txt").read_text(encoding="utf-8") == Classes(
        tuple(tiny.CLASSES), tuple(tiny.CLASSES.values()), ()
    ).listed()
