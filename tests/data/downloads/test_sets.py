"""Archives as they unpack, unsafe ones, and the command."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

import tiny
from weakseg.data.downloads import sets
from weakseg.data.downloads.fetch import fetch
from weakseg.data.downloads.unpack import unpack
from weakseg.data.images import read_mask
from weakseg.data.source import open_source
from weakseg.errors import WeaksegError

Make = Callable[..., Path]


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def picture(values: Any) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8)).save(packed, "PNG")
    return packed.getvalue()


def mat(values: Any) -> bytes:
    packed = io.BytesIO()
    savemat(packed, {"GTcls": {"Segmentation": np.asarray(values, np.uint8), "CategoriesPresent": [1]}})
    return packed.getvalue()


def voc() -> dict[str, bytes]:
    root = "VOCdevkit/VOC2012"
    files = {f"{root}/JPEGImages/2007_00000{n}.png": picture(np.full((4, 5, 3), n)) for n in range(4)}
    files |= {f"{root}/SegmentationClass/2007_00000{n}.png": picture(np.full((4, 5), 3)) for n in (0, 2)}
    lists = {"train": "2007_000000\n", "val": "2007_000002\n", "trainval": "2007_000000\n2007_000002\n"}
    return files | {f"{root}/ImageSets/Segmentation/{name}.txt": text.encode() for name, text in lists.items()}


def sbd() -> dict[str, bytes]:
    root = "benchmark_RELEASE/dataset"
    files = {f"{root}/cls/2007_00000{n}.mat": mat(np.full((4, 5), 8)) for n in range(4)}
    return files | {
        f"{root}/train.txt": b"2007_000000\n2007_000001\n",
        f"{root}/val.txt": b"2007_000002\n2007_000003\n",
    }


@pytest.fixture
def served(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """voc12 and sbd, tiny, from the test's server, with their MD5s."""
    for name, content in (("voc12", tarred(voc())), ("sbd", tarred(sbd(), "w:gz"))):
        (archive,) = sets.SETS[name].archives
        file = archive.url.rpartition("/")[2]
        site.files[f"/{file}"] = content
        own = replace(archive, url=f"{site.address}/{file}", md5=hashlib.md5(content).hexdigest())
        monkeypatch.setitem(sets.SETS, name, replace(sets.SETS[name], archives=(own,)))
    return site


def test_voc_then_sbd_make_train_aug(served: Any, tmp_path: Path) -> None:
    ended = tiny.weakseg("download", "voc12", "--to", tmp_path)
    assert ended.code == 0, ended.err
    assert "unpacked from VOCtrainval_11-May-2012.tar, its MD5 is right" in ended.out
    assert f"weakseg download sbd --to {tmp_path}" in ended.out
    ended = tiny.weakseg("download", "sbd", "--to", tmp_path, "--json")
    found = json.loads(ended.out)
    root = tmp_path / "VOCdevkit/VOC2012"
    assert found["data"] == f"voc:{root}"
    assert found["done"][-1].startswith(f"{root}/SegmentationClassAug: masks of the 3 photos of train_aug and of val")
    splits = {split: [s.id for s in samples] for split, samples in open_source(found["data"]).splits.items()}
    assert splits["train_aug"] == ["2007_000000", "2007_000001", "2007_000003"]
    values = [int(read_mask(root / f"SegmentationClassAug/2007_00000{n}.png")[0, 0]) for n in range(4)]
    assert values == [3, 8, 3, 8]  # VOC's own where it has one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["VOCdevkit", "benchmark_RELEASE"]


def test_what_is_there_is_kept(served: Any, tmp_path: Path) -> None:
    mine = tmp_path / "VOCdevkit/VOC2012/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    found = sets.download("voc12", tmp_path)
    assert found.lines[0] == f"{mine.parent}: there already, kept"
    assert mine.read_text() == "mine"
    assert served.asked == []


def test_archives_that_were_there_are_used_and_stay(served: Any, tmp_path: Path) -> None:
    archive = tmp_path / "VOCtrainval_11-May-2012.tar"
    archive.write_bytes(served.files[f"/{archive.name}"])
    sets.download("voc12", tmp_path)
    assert served.asked == []
    assert archive.is_file()
    sets.download("sbd", tmp_path, keep=True)
    assert (tmp_path / "benchmark.tgz").is_file()


def test_an_archive_that_breaks_off_leaves_no_folder(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "fetch", partial(fetch, tries=1, wait=0))
    served.breaks = [2000, 0]
    line = tiny.error_line(tiny.weakseg("download", "voc12", "--to", tmp_path))
    assert "broke off after 0.0 MB" in line
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".part"]
    assert tiny.weakseg("download", "voc12", "--to", tmp_path).code == 0
    assert served.asked == ["", "bytes=2000-", "bytes=2000-"]


def test_coco_without_its_md5s_is_checked_by_size_and_crc(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"annotations_trainval2014": "annotations", "val2014": "val2014", "train2014": "train2014"}
    archives = []
    for name, folder in names.items():
        site.files[f"/{name}.zip"] = zipped({f"{folder}/": b"", f"{folder}/x.txt": b"content"})
        archives.append(sets.Archive(f"{site.address}/{name}.zip", None, {folder: f"coco/{folder}"}))
    monkeypatch.setitem(sets.SETS, "coco14", replace(sets.SETS["coco14"], archives=archives))
    broken = site.files["/train2014.zip"]
    site.files["/train2014.zip"] = broken.replace(b"content", b"cont\0nt")
    with pytest.raises(WeaksegError, match=r"train2014\.zip: damaged or unsafe archive \(Bad CRC"):
        sets.download("coco14", tmp_path)
    assert sorted(path.name for path in (tmp_path / "coco").iterdir()) == ["annotations", "val2014"]
    (tmp_path / "train2014.zip").unlink()
    site.files["/train2014.zip"] = broken
    found = sets.download("coco14", tmp_path)
    assert found.lines[0] == f"{tmp_path / 'coco/annotations'}: there already, kept"
    assert found.lines[2].endswith("train2014: unpacked from train2014.zip, its size is right, no checksum is known")
    assert found.opens == f"coco:{tmp_path}/coco"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tar", tarred({"good/a": b"a", "../evil": b"b"})),
        ("x.tgz", tarred({"good/a": b"a", "good/../../evil": b"b"}, "w:gz")),
        ("x.zip", zipped({"good/a": b"a", "../evil": b"b"})),
        ("x.zip", zipped({"good/a": b"a", "..\\evil": b"b"})),
    ],
)
def test_archives_that_reach_out_write_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeaksegError, match="damaged or unsafe archive"):
        unpack(tmp_path / name, tmp_path / "to", {"good": "good"})
    assert list((tmp_path / "to").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_link_out_of_the_archive(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("good/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    (tmp_path / "x.tar").write_bytes(packed.getvalue())
    with pytest.raises(WeaksegError, match="damaged or unsafe archive"):
        unpack(tmp_path / "x.tar", tmp_path / "to", {"good": "good"})


@pytest.mark.parametrize("content", [b"text", tarred({"other/a": b"a"}), tarred(voc())[:3000]])
def test_archives_that_are_none_or_others(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(WeaksegError, match=r"x\.tar: (damaged|holds no folder good)"):
        unpack(tmp_path / "x.tar", tmp_path / "to", {"good": "good"})
    assert list((tmp_path / "to").iterdir()) == []


def test_sets_that_only_people_can_get_say_how(tmp_path: Path) -> None:
    line = tiny.error_line(tiny.weakseg("download", "cityscapes", "--to", tmp_path))
    assert "Cityscapes wants an account: get leftImg8bit_trainvaltest.zip" in line
    line = tiny.error_line(tiny.weakseg("download", "imagenet", "--to", tmp_path))
    assert "unknown data set 'imagenet'; available: voc12, sbd, coco14" in line


def test_addresses_and_md5s() -> None:
    archives = [archive for each in sets.SETS.values() for archive in each.archives]
    known = [archive.md5 for archive in archives if archive.md5 is not None]
    assert all(len(md5) == 32 for md5 in known)
    assert len(set(known)) == len(known) == 4
    assert [archive.url.rpartition("/")[2] for archive in archives if archive.md5 is None] == ["train2014.zip"]
