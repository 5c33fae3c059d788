"""`weakseg predict`: names, the list, what is said, and folders that hold something already."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

import tiny
from weakseg.data.images import read_mask, voc_palette
from weakseg.data.sample import Classes, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.photos import given_photos
from weakseg.pipeline.newphotos.predictions import Places, Predictions
from weakseg.report.predicted import Predicted

CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())
IMAGE = np.full((4, 5, 3), 100, np.uint8)


def mask(*values):
    found = np.zeros((4, 5), np.uint8)
    found.flat[: len(values)] = values
    return found


def predictions(out, *ids):
    return Predictions(Places(out), [Sample(name, out.parent / "in" / f"{name}.jpg", ()) for name in ids], CLASSES)


def write_all(out, masks):
    written = predictions(out, *masks)
    written.check(overwrite=False)
    for sample in written.samples:
        written.write(sample, IMAGE, masks[sample.id])
    written.write_list()
    return written


def rows(out):
    with (out / "masks.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def sites(tmp_path, finished_run):
    """Photos of equal names in sub-folders, as a csv source."""
    lines = ["image,tags,mask,split"]
    for site, name in (("a", "v0"), ("b", "v1"), ("c", "v2")):
        photo, truth = tmp_path / f"img/{site}/1.jpg", tmp_path / f"truth/{site}/1.png"
        photo.parent.mkdir(parents=True)
        truth.parent.mkdir(parents=True)
        shutil.copy(finished_run.photos / "JPEGImages" / f"{name}.jpg", photo)
        shutil.copy(finished_run.photos / "SegmentationClassAug" / f"{name}.png", truth)
        lines.append(f"img/{site}/1.jpg,{tiny.VAL[name]},truth/{site}/1.png,val")
    (tmp_path / "photos.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "classes.txt").write_text("cat 8\ncow 10\ndog 12\n")
    return tmp_path


def scores(ended):
    assert ended.code == 0, ended.err
    return ended.out[ended.out.index("class") :]


def test_masks_of_sub_folders_can_be_scored(sites, finished_run):
    ended = tiny.weakseg("predict", finished_run.folder, sites / "img", "--out", sites / "P")
    assert ended.out.startswith(f"3 masks in {sites}/P/masks, overlays in {sites}/P/overlays")
    for site, name in (("a", "v0"), ("b", "v1"), ("c", "v2")):
        theirs = finished_run.folder / "predict" / "masks" / f"{name}.png"
        assert (sites / "P" / "masks" / site / "1.png").read_bytes() == theirs.read_bytes()
    assert [(row["image"], row["mask"]) for row in rows(sites / "P")] == [
        (f"{sites}/img/{site}/1.jpg", f"masks/{site}/1.png") for site in "abc"
    ]
    found = tiny.weakseg("evaluate", sites / "P" / "masks", "--data", f"csv:{sites}/photos.csv")
    assert "masks are named as the photos without img/" in found.out
    theirs = tiny.weakseg("evaluate", finished_run.folder / "predict/masks", "--data", f"voc:{finished_run.photos}")
    assert scores(found) == scores(theirs)


def test_a_source_names_the_masks(sites, finished_run):
    source = f"csv:{sites}/photos.csv"
    ended = tiny.weakseg("predict", finished_run.folder, "--data", source, "--split", "val", "--out", sites / "masks")
    assert ended.code == 0, ended.err
    assert (sites / "masks" / "img" / "a" / "1.png").is_file()
    assert not (sites / "masks" / "masks").exists()
    found = tiny.weakseg("evaluate", sites / "masks", "--data", source)
    assert "without" not in found.out
    assert "3 images" in found.out


def test_every_photo_of_a_source_is_predicted_once(finished_run, tmp_path):
    ended = tiny.weakseg("predict", finished_run.folder, "--data", f"voc:{finished_run.photos}", "--out", tmp_path)
    assert ended.out.startswith(f"{len(tiny.TRAIN) + len(tiny.VAL)} masks")
    composed = tiny.weakseg("predict", finished_run.folder, "--data", "scenes:1", "--out", tmp_path / "scenes")
    assert composed.code == 0, composed.err
    assert [row["image"] for row in rows(tmp_path / "scenes")] == ["train_000000", "val_000000"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "give images or folders of images, or a source with --data"),
        (("x.jpg", "--data", "scenes:1"), "one of the two"),
        (("x.jpg", "--split", "val"), "--split is of a source"),
        (("--data", "scenes:1", "--split", "test"), "unknown split of scenes:1 'test'"),
    ],
)
def test_images_or_a_source(finished_run, tmp_path, arguments, named):
    assert named in tiny.error_line(tiny.weakseg("predict", finished_run.folder, *arguments, "--out", tmp_path))


def test_photos_are_given_once_and_never_share_a_name(tmp_path):
    for name in ("x/a/1.jpg", "x/a/1.png", "y/a/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    x, y = tmp_path / "x", tmp_path / "y"
    found = given_photos([x, x / "a" / "1.jpg", y, x / "a"])
    assert [photo.id for photo in found] == ["a/1", "a/1-png", "a/1-jpg"]
    assert [photo.image for photo in found] == [x / "a/1.jpg", x / "a/1.png", y / "a/1.jpg"]


def test_the_list_has_what_was_found_and_what_was_left_out(tmp_path):
    written = predictions(tmp_path / "out", "one", "two", "deep/three")
    written.write(written.samples[0], IMAGE, mask(12, 8, 255))
    assert [row["left out"] for row in rows(tmp_path / "out")] == ["not done yet"] * 3
    written.left_out["two"] = "two.jpg: empty file"
    written.write(written.samples[2], IMAGE, mask())
    written.write_list()
    folder = tmp_path / "in"
    assert [tuple(row.values()) for row in rows(tmp_path / "out")] == [
        (f"{folder}/one.jpg", "masks/one.png", "cat;dog", ""),
        (f"{folder}/two.jpg", "", "", "two.jpg: empty file"),
        (f"{folder}/deep/three.jpg", "masks/deep/three.png", "", ""),
    ]
    lines = Predicted(written, tmp_path / "run", []).lines()
    assert lines[0].endswith(f"{tmp_path}/out/masks.csv; 1 left out")
    assert lines[1] == "1 of 2 masks are all background"


def test_paths_are_relative_to_the_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "in" / "one.png")
    (photo,) = given_photos([Places(tmp_path / "in").out.relative_to(tmp_path)])
    written = Predictions(Places(tmp_path / "results" / "today"), [photo], CLASSES)
    written.write(photo, IMAGE, mask())
    assert rows(tmp_path / "results" / "today")[0]["image"] == "../../in/one.png"


def test_empty_masks_are_said_with_the_way_out(tmp_path):
    written = write_all(tmp_path / "out", {"one": mask(), "two": mask()})
    assert (
        Predicted(written, tmp_path / "run", [])
        .lines()[1]
        .startswith("2 of 2 masks are all background: the network finds nothing")
    )
    assert "train.png" not in Predicted(written, tmp_path / "run", []).lines()[1]
    (tmp_path / "run" / "pictures").mkdir(parents=True)
    (tmp_path / "run" / "pictures" / "train.png").touch()
    assert f"{tmp_path}/run/pictures/train.png" in Predicted(written, tmp_path / "run", []).lines()[1]
    assert len(Predicted(write_all(tmp_path / "more", {"one": mask(8)}), tmp_path / "run", []).lines()) == 1


@pytest.mark.parametrize("name", ["out", "masks"])
def test_earlier_masks_are_never_mixed_with_new_ones(tmp_path, name):
    out = tmp_path / name
    write_all(out, {"one": mask(8), "deep/two": mask(8)})
    again = predictions(out, "one", "three")
    with pytest.raises(WeaksegError, match=r"holds masks of an earlier `weakseg predict`.*--overwrite"):
        again.check(overwrite=False)
    again.check(overwrite=True)
    assert (Places(out).masks / "deep" / "two.png").exists()  # until the first new one is there
    again.write(again.samples[0], IMAGE, mask(12))
    assert {path.name for path in out.rglob("*.png")} == {"one.png"}
    assert 12 in read_mask(Places(out).masks / "one.png")


def test_what_an_interrupted_call_has_left_is_replaced(tmp_path):
    first = predictions(tmp_path / "out", "one", "two")
    first.write(first.samples[0], IMAGE, mask(8))
    predictions(tmp_path / "out", "three").check(overwrite=False)


def test_foreign_files_are_never_touched(tmp_path):
    out = tmp_path / "masks"
    out.mkdir()
    Image.fromarray(mask(1)).save(out / "mine.png")
    for overwrite in (False, True):
        with pytest.raises(WeaksegError, match=r"mine.png: not written by `weakseg predict`"):
            predictions(out, "mine").check(overwrite)
    (out / "mine.png").rename(tmp_path / "mine.png")
    (out / "masks.csv").write_text("image,mask,found,left out\nx.jpg,../mine.png,,\n")
    written = predictions(out, "one")
    written.check(overwrite=True)
    written.write(written.samples[0], IMAGE, mask())
    assert (tmp_path / "mine.png").exists()
    (out / "one.png").unlink()
    (out / "overlays" / "one.png").unlink()
    (out / "masks.csv").write_text("image,tags\n")
    for name in ("masks.csv", "classes.txt"):
        with pytest.raises(WeaksegError, match="not written by"):
            predictions(out, "one").check(overwrite=True)
        (out / name).unlink()
    predictions(out, "one").check(overwrite=False)


def test_a_folder_of_photos_called_overlays_has_no_place_in_masks(tmp_path):
    with pytest.raises(WeaksegError, match="choose another --out"):
        predictions(tmp_path / "masks", "overlays/one").check(overwrite=False)
    predictions(tmp_path / "out", "overlays/one").check(overwrite=False)
