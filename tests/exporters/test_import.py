"""Masks and tags go out, are changed, and come back as reviews, through every format that can."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as run_lengths

import tiny
from hard_masks import CLASSES, SIZE, Made
from weakseg.data.images import read_mask
from weakseg.data.reviews import Review, read_reviews
from weakseg.exporters.command import export
from weakseg.exporters.formats.brush import encode_brush
from weakseg.exporters.incoming.command import import_reviews
from weakseg.files import write_json

BOX = (slice(10, 20), slice(5, 30))
"""In the photo "plain", which has no class, people find a traffic light."""
ALL = {"accepted": 4, "corrected": 1}


def boxed() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[BOX] = True
    return mask


def change_coco(folder: Path) -> Path:
    file = folder / "annotations.json"
    content = json.loads(file.read_text())
    (number,) = [image["id"] for image in content["images"] if image["sample_id"] == "plain"]
    outline = [5, 10, 30, 10, 30, 20, 5, 20]
    content["annotations"].append({"id": 99, "image_id": number, "category_id": 3, "segmentation": [outline]})
    file.write_text(json.dumps(content))
    return file


def change_label_studio(folder: Path) -> Path:
    file = folder / "tasks.json"
    tasks = json.loads(file.read_text())
    for task in tasks:
        task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
        if task["data"].pop("weakseg_id") == "plain":
            value = {"format": "rle", "rle": encode_brush(boxed()), "brushlabels": ["traffic light"]}
            size = {"original_width": SIZE[1], "original_height": SIZE[0]}
            task["annotations"][0]["result"].append({"type": "brushlabels", "value": value} | size)
            chosen = {"type": "choices", "value": {"choices": ["traffic light"]}}
            task["annotations"][0]["result"].append(chosen)
    file.write_text(json.dumps(tasks))
    return file


def change_cvat(folder: Path) -> Path:
    changed = folder / "changed.zip"
    with zipfile.ZipFile(folder / "annotations.zip") as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "SegmentationClass/plain.png":
                pixels = np.zeros((*SIZE, 3), np.uint8)
                pixels[BOX] = (0, 128, 0)  # VOC's second colour
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                content = buffer.getvalue()
            after.writestr(name, content)
    return changed


def change_png(folder: Path, below: str = "masks") -> Path:
    values = np.zeros(SIZE, np.uint8)
    values[BOX] = 3
    Image.fromarray(values).save(folder / below / "plain.png")
    return folder


@pytest.mark.parametrize(
    ("to", "change"),
    [
        ("coco", change_coco),
        ("label-studio", change_label_studio),
        ("cvat", change_cvat),
        ("png", change_png),
        ("voc", lambda folder: change_png(folder, "SegmentationClass")),
    ],
)
def test_a_corrected_mask_comes_back(made: Made, tmp_path: Path, to: str, change: Callable[[Path], Path]) -> None:
    file = change(export(made.run, to, tmp_path / "out").folder)
    before = {path: path.read_bytes() for path in (made.run / "refine").rglob("*.png")}
    ended = tiny.weakseg("import", file, "--run", made.run, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["decisions"] == ALL
    reviews = read_reviews(Path(told["reviews"]), CLASSES)
    assert told["reviews"] == str(made.run.with_name(f"{made.run.name}-reviews") / "reviews.jsonl")
    assert reviews["plain"].tags == ("traffic light",)
    assert reviews["plain"].mask == made.run.with_name(f"{made.run.name}-reviews") / "masks" / "plain.png"
    labels = CLASSES.to_labels(read_mask(reviews["plain"].mask))
    np.testing.assert_array_equal(labels, boxed() * np.uint8(2))
    assert before == {path: path.read_bytes() for path in (made.run / "refine").rglob("*.png")}


def coco(*annotations: dict[str, object], sides: tuple[int, int] = SIZE, name: str = "plain.png") -> dict[str, object]:
    return {
        "images": [{"id": 1, "file_name": name, "height": sides[0], "width": sides[1]}],
        "annotations": [{"image_id": 1, "category_id": 1} | entry for entry in annotations],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dragon"}],
    }


def test_run_lengths_of_either_kind(made: Made, tmp_path: Path) -> None:
    encoded = run_lengths.encode(np.asfortranarray(boxed().astype(np.uint8)))
    lengths = np.diff(np.flatnonzero(np.diff(boxed().T.ravel().astype(int), prepend=-1, append=-1))).tolist()
    kinds = ({"size": SIZE, "counts": encoded["counts"].decode()}, {"size": SIZE, "counts": lengths})
    for number, kind in enumerate(kinds):
        write_json(tmp_path / f"{number}.json", coco({"segmentation": kind}))
        found = import_reviews(tmp_path / f"{number}.json", data=made.data)
        assert found.reviews == tmp_path / f"{number}-reviews" / "reviews.jsonl"
        mask = read_mask(tmp_path / f"{number}-reviews" / "masks" / "plain.png")
        np.testing.assert_array_equal(mask == 8, boxed())


def test_tags_that_changed(made: Made, tmp_path: Path) -> None:
    chosen = {"type": "choices", "value": {"choices": ["cat"]}}
    names = ("plain.png", "a/1.jpg", "/data/upload/1/0a1b2c3d-3.tif")
    annotations: list[list[dict[str, object]]] = [[{"result": [chosen]}], [{"result": []}], []]
    tasks = [{"data": {"image": n}, "annotations": a} for n, a in zip(names, annotations, strict=True)]
    (tmp_path / "t.json").write_text(json.dumps(tasks))
    found = import_reviews(tmp_path / "t.json", data=made.data)
    assert found.decisions == {"tags": 2}
    assert "1 tasks have no finished annotation" in found.notes[0]
    reviews = read_reviews(found.reviews, CLASSES)
    assert list(reviews.values()) == [Review("plain", "tags", ("cat",)), Review("a/1", "tags", ())]
    write_json(tmp_path / "c.json", coco({}))
    assert import_reviews(tmp_path / "c.json", data=made.data).decisions == {"tags": 1}


def test_cvats_xml(made: Made, tmp_path: Path) -> None:
    rle = "2,3,1,4"  # two rows of five: ..### .####
    shapes = f'<mask label="cat" rle="{rle}" left="7" top="3" width="5" height="2"/>'
    shapes += '<polygon label="traffic light" points="5,10;30,10;30,20;5,20"/><box label="cat"/>'
    image = '<image id="0" name="plain.png" width="52" height="40">'
    (tmp_path / "a.xml").write_text(f"<annotations>{image}{shapes}</image></annotations>")
    found = import_reviews(tmp_path / "a.xml", run=made.run)
    assert found.decisions == {"corrected": 1}
    assert found.notes == ("1 shapes are neither masks nor polygons and are not read",)
    labels = CLASSES.to_labels(read_mask(made.run.with_name(f"{made.run.name}-reviews") / "masks" / "plain.png"))
    assert (labels[3:5, 7:12].tolist(), (labels == 1).sum()) == ([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]], 7)
    np.testing.assert_array_equal(labels == 2, boxed())


def test_a_photo_that_is_stored_on_its_side(made: Made, tmp_path: Path) -> None:
    """A tool that does not turn photos has the mask lie as the file does."""
    (tmp_path / "masks").mkdir()
    stored = np.zeros(SIZE, np.uint8)
    stored[0, :5] = 8
    Image.fromarray(stored).save(tmp_path / "masks" / "turned.png")
    import_reviews(tmp_path / "masks", data=made.data)
    mask = read_mask(tmp_path / "masks-reviews" / "masks" / "a" / "turned.png")
    assert mask.shape == SIZE[::-1]
    np.testing.assert_array_equal(np.argwhere(mask == 8), [[row, SIZE[0] - 1] for row in range(5)])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (coco({"segmentation": [[1, 1, 5, 1, 5, 5]]}, sides=(41, 52)), "a mask of 52x41, but the photo plain is 52x40"),
        (coco({"segmentation": [[1, 1, 5, 1, 5, 5]]}, name="x.png"), "x.png: no such photo in csv:"),
        (
            coco({"segmentation": [[1, 1, 5, 1, 5, 5]], "category_id": 2}),
            "plain.png: unknown class 'dragon'; available: cat",
        ),
        (coco({"segmentation": {"size": [3, 4], "counts": [12]}}), "plain.png: a mask of 4x3 for a photo of 52x40"),
        (coco({"segmentation": [["x"]]}), "plain.png: a segmentation that cannot be read"),
        (coco({"category_id": 2}), "plain.png: no class 'dragon'; available: cat"),
        (coco({"category_id": 5}), "category 5 is not in the file's categories"),
        ([], "names no photo; nothing to import"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_written(
    made: Made, tmp_path: Path, content: object, match: str
) -> None:
    write_json(tmp_path / "in.json", content)
    before = {str(path) for path in tmp_path.rglob("*")}
    assert match in tiny.error_line(tiny.weakseg("import", tmp_path / "in.json", "--run", made.run))
    assert {str(path) for path in tmp_path.rglob("*")} == before


def test_reviews_that_are_there_are_kept(made: Made, tmp_path: Path) -> None:
    write_json(tmp_path / "in.json", coco({}))
    arguments = ("import", tmp_path / "in.json", "--run", made.run)
    assert tiny.weakseg(*arguments).code == 0
    line = tiny.error_line(tiny.weakseg(*arguments))
    assert "holds reviews; add to them with --append, or replace them with --overwrite" in line
    file = made.run.with_name(f"{made.run.name}-reviews") / "reviews.jsonl"
    assert tiny.weakseg(*arguments, "--append").code == 0
    assert len(file.read_text().splitlines()) == 2
    assert tiny.weakseg(*arguments, "--overwrite").code == 0
    assert len(file.read_text().splitlines()) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("")
    line = tiny.error_line(tiny.weakseg(*arguments, "--out", tmp_path / "mine", "--overwrite"))
    assert "holds files that `weakseg import` has not written" in line


def test_files_that_are_nothing(made: Made, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_text("x")
    (tmp_path / "empty").mkdir()
    shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path / "empty")
    for name, match in (
        ("gone.json", "no such file or folder; it can be COCO's JSON"),
        ("x.bin", "not known by its suffix"),
        ("empty", "holds no mask; looked for PNG files in"),
        ("z.zip", "a zip without labelmap.txt or annotations.xml"),
    ):
        assert match in tiny.error_line(tiny.weakseg("import", tmp_path / name, "--run", made.run))
    line = tiny.error_line(tiny.weakseg("import", tmp_path / "x.bin"))
    assert "say what was corrected with --run RUN, or --data SOURCE" in line


def test_a_name_that_could_be_two_photos(made: Made, tmp_path: Path) -> None:
    (tmp_path / "photos" / "b" / "1.jpg").write_bytes((tmp_path / "photos" / "b" / "3.tif").read_bytes())
    with (tmp_path / "photos" / "photos.csv").open("a") as file:
        file.write("b/1.jpg,cat;\n")
    write_json(tmp_path / "in.json", coco({}, name="1.jpg"))
    line = tiny.error_line(tiny.weakseg("import", tmp_path / "in.json", "--data", made.data))
    assert "could be a/1 or b/1; name photos by their ids" in line
