import contextlib
import io
import json
from pathlib import Path

import pytest
import torch
from pycocotools.coco import COCO

from weakseg.data.images import voc_palette
from weakseg.data.instances import PhotoInstances, load_instances, save_instances
from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.methods.irnet.instances import Instance

CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())


def photos() -> list[PhotoInstances]:
    mask = torch.zeros(5, 7, dtype=torch.bool)
    mask[1:3, 2:6] = True
    instances = (Instance(2, 0.75, mask), Instance(1, 0.0, ~mask))
    return [
        PhotoInstances("a/1", "a/1.jpg", (5, 7), instances),
        PhotoInstances("leer", "leer.png", (3, 2), ()),
        PhotoInstances("b", "b.jpg", (5, 7), instances[:1]),
    ]


def test_saved_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "instances.json"
    save_instances(path, photos(), CLASSES)
    for found, expected in zip(load_instances(path, CLASSES), photos(), strict=True):
        assert (found.id, found.file_name, found.size) == (expected.id, expected.file_name, expected.size)
        for instance, other in zip(found.instances, expected.instances, strict=True):
            assert instance[:2] == other[:2]
            assert torch.equal(instance.mask, other.mask)


def test_pycocotools_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    save_instances(path, photos(), CLASSES)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
        results = coco.loadRes(json.loads(path.read_text())["annotations"])
    assert [category["name"] for category in coco.loadCats([8, 12])] == ["cat", "dog"]
    first = coco.loadAnns([1])[0]
    assert (first["bbox"], first["area"], first["category_id"]) == ([2, 1, 4, 2], 8, 12)
    assert (coco.annToMask(first) == photos()[0].instances[0].mask.numpy()).all()
    assert len(results.getAnnIds()) == 3


def test_equal_instances_give_equal_bytes(tmp_path: Path) -> None:
    save_instances(tmp_path / "1.json", photos(), CLASSES)
    save_instances(tmp_path / "2.json", load_instances(tmp_path / "1.json", CLASSES), CLASSES)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(WeaksegError, match=r"x\.json: no such file"):
        load_instances(path, CLASSES)
    path.write_text("{")
    with pytest.raises(WeaksegError, match=r"x\.json: not readable as JSON"):
        load_instances(path, CLASSES)
    path.write_text("[]")
    with pytest.raises(WeaksegError, match=r"x\.json: no instances"):
        load_instances(path, CLASSES)
    save_instances(path, photos(), CLASSES)
    with pytest.raises(WeaksegError, match=r"x\.json: no instances of these classes"):
        load_instances(path, Classes(("cat",), (8,), voc_palette()))
