"""All that the pages for users tell them to type is run, in order, on photos as small as can be."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from conftest import FinishedRun
from guides import DOCS, blocks, commands
from weakseg.review import serve

PAGES = ("index.md", "photos.md", "alternatives.md", "tools.md", "extend.md")
TRAIN = {name: tags for name, tags in tiny.TRAIN.items() if "." not in name}
COCO = {
    "images": [{"id": 1, "file_name": "p0.jpg"}, {"id": 2, "file_name": "p1.jpg"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1}, {"id": 2, "image_id": 2, "category_id": 2}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "cow"}],
}
LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"image": "p0.jpg"},
        "annotations": [{"result": [{"type": "choices", "value": {"choices": ["cat"]}}]}],
    }
]
CVAT = """<annotations><version>1.1</version><meta><job><labels><label><name>cat</name></label></labels></job></meta>
<image id="0" name="p0.jpg" width="64" height="48"><tag label="cat" source="manual"></tag></image></annotations>"""


@pytest.fixture
def desk(tmp_path: Path, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages name, the finished run among it."""
    photos, masks = finished_run.photos / "JPEGImages", finished_run.photos / "SegmentationClassAug"
    for folder, names in ((tmp_path, TRAIN), (tmp_path / "new-photos", tiny.VAL)):
        folder.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(photos / f"{name}.jpg", folder)
    rows = [f"{name}.jpg,{tags},true/{name}.png" for name, tags in TRAIN.items()]
    (tmp_path / "photos.csv").write_text("image,tags,mask\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for tag in ("cow", "person"):
        (tmp_path / "photos" / tag).mkdir(parents=True)
        shutil.copy(photos / "p1.jpg", tmp_path / "photos" / tag)
    (tmp_path / "export.json").write_text(json.dumps(LABEL_STUDIO))
    (tmp_path / "annotations.xml").write_text(CVAT)
    (tmp_path / "instances.json").write_text(json.dumps(COCO))
    for folder, names in (("true", TRAIN), ("model-masks", TRAIN), ("drawn", ("p0", "p4"))):
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(masks / f"{name}.png", tmp_path / folder)
    (tmp_path / "drawn" / "classes.txt").write_text(
        "".join(f"{name} {value}\n" for name, value in tiny.CLASSES.items())
    )
    shutil.copytree(finished_run.folder, tmp_path / "runs" / "photos")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serve, "serve", lambda *arguments, **options: None)
    return tmp_path


def play(page: str, *, train: bool) -> str:
    """Do what a page says; its runs if wanted, never the demo, which test_readme runs. Returns what is printed."""
    told, names = "", {"__name__": "page"}
    for block in blocks(DOCS / page):
        if block.language == "python":
            exec(compile(block.text, page, "exec", dont_inherit=True), names)
        for line in commands(block):
            command = shlex.split(line)[1:]
            if command[0] == "demo" or (command[0] == "run" and not train):
                continue
            small = [*tiny.overrides(), *tiny.AUTO, "--overwrite"] if command[0] == "run" else []
            ended = tiny.weakseg(*command, *small)
            assert ended.code == 0, (line, ended.err)
            told += ended.out
    return told


@pytest.mark.parametrize("page", [page for page in PAGES if page != "photos.md"])
def test_a_page_works(page: str, desk: Path):
    play(page, train=False)


def test_slips_are_told_as_the_page_says(desk: Path):
    found = blocks(DOCS / "photos.md")
    table = next(block.text for block in found if block.language == "csv" and "plate" in block.text)
    (desk / "kitchen.csv").write_text(table)
    for line in table.splitlines()[1:]:
        Image.new("RGB", (64, 48), (len(line), 9, 9)).save(desk / line.split(",")[0])
    told = play("photos.md", train=False)
    warned = [line for block in found if block.language == "text" for line in block.text.splitlines()]
    lines = [line for line in warned if line.startswith("warning: ")]
    assert len(lines) == 3
    assert all(line in told for line in lines)


def test_tags_take_invented_classes_from_a_models_masks(desk: Path, capsys: pytest.CaptureFixture[str]):
    mask = np.array(Image.open(desk / "model-masks" / "p0.png"))
    mask[-4:] = tiny.CLASSES["dog"]
    Image.fromarray(mask).save(desk / "model-masks" / "p0.png")
    Image.fromarray(np.zeros_like(np.array(Image.open(desk / "model-masks" / "p1.png")))).save(
        desk / "model-masks" / "p1.png"
    )
    play("alternatives.md", train=False)
    told = capsys.readouterr().out
    assert "p0: not tagged but found: ['dog'], tagged but not found: []" in told
    assert "p1: not tagged but found: [], tagged but not found: ['cow']" in told
    assert "p2:" not in told
    assert set(np.unique(Image.open(desk / "checked-masks" / "p0.png"))) == {0, tiny.CLASSES["cat"]}
    reviews = (desk / "model-reviews" / "reviews.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in reviews) == sorted(TRAIN)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index.md", "photos.md", "alternatives.md"])
def test_the_runs_of_a_page_work(page: str, desk: Path):
    shutil.copy(desk / "photos.csv", desk / "kitchen.csv")
    play(page, train=True)
