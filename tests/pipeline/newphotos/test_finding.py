"""Which file is the mask of which photo."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.finding import find_masks, mask_reader

NAMES = st.sampled_from(["a", "b", "c"])
IDS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=6, unique=True)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def samples(*ids):
    return [Sample(name, Path(f"/photos/{name}.jpg"), ()) for name in ids]


def relative(folder, ids):
    found, said = find_masks(folder, samples(*ids))
    return {name: path.relative_to(folder).as_posix() for name, path in found.items()}, said


def test_masks_have_the_ids(tmp_path):
    touch(tmp_path, "img/a/1.png", "a/1.png")
    assert relative(tmp_path, ["img/a/1", "img/a/2"]) == ({"img/a/1": "img/a/1.png", "img/a/2": "img/a/2.png"}, [])


def test_a_leading_folder_that_the_masks_lack_is_left_away_and_said(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png")
    found, said = relative(tmp_path, ["x/img/a/1", "x/img/b/1"])
    assert found == {"x/img/a/1": "a/1.png", "x/img/b/1": "b/1.png"}
    assert said == ["masks are named as the photos without x/img/"]


def test_folders_that_differ_are_never_left_away(tmp_path):
    touch(tmp_path, "1.png")
    with pytest.raises(WeaksegError, match=r"no mask is called as one of 2 photos"):
        relative(tmp_path, ["a/1", "b/1"])


def test_two_ways_are_one_too_many(tmp_path):
    touch(tmp_path, "a/1.png", "1.png")
    with pytest.raises(WeaksegError, match=r"could be named as .*a/1.png and .*1.png"):
        relative(tmp_path, ["img/a/1", "img/a/2"])


@settings(max_examples=50)
@given(IDS)
def test_no_two_photos_share_a_mask(tmp_path_factory, ids):
    folder = tmp_path_factory.mktemp("masks")
    lacking = [name.split("/", 1)[-1] for name in ids]
    touch(folder, *(f"{name}.png" for name in lacking))
    try:
        found, _ = relative(folder, ids)
    except WeaksegError:
        return
    assert len(set(found.values())) == len(ids)


def write_list(folder, rows):
    text = "".join(f"{image},{mask},,\n" for image, mask in rows)
    (folder / "masks.csv").write_text(f"image,mask,found,left out\n{text}", encoding="utf-8")


def test_the_list_tells_photos_of_one_name_apart(tmp_path):
    masks = touch(tmp_path / "masks", "cat.png", "cat-png.png")
    write_list(tmp_path, [("../in/cat.jpg", "masks/cat.png"), ("../in/cat.png", "masks/cat-png.png")])
    other = [Sample("cat", Path("/else/cat.png"), ()), Sample("cat-jpg", Path("/else/cat.jpg"), ())]
    found, _ = find_masks(masks, other)
    assert {name: path.name for name, path in found.items()} == {"cat": "cat-png.png", "cat-jpg": "cat.png"}


def test_the_list_tells_photos_of_two_folders_apart_where_they_still_are(tmp_path):
    masks = touch(tmp_path / "masks", "1.png", "1-jpg.png")
    write_list(tmp_path, [("x/1.jpg", "masks/1.png"), ("y/1.jpg", "masks/1-jpg.png")])
    (found, _) = find_masks(masks, [Sample("1", tmp_path / "y" / "1.jpg", ())])
    assert found["1"].name == "1-jpg.png"
    with pytest.raises(WeaksegError, match="could be either"):
        find_masks(masks, [Sample("1", Path("/moved/1.jpg"), ())])


def test_another_table_of_that_name_is_no_list(tmp_path):
    masks = touch(tmp_path / "masks", "cat.png")
    (tmp_path / "masks.csv").write_text("image,mask\ncat.jpg,dog.png\n", encoding="utf-8")
    found, _ = find_masks(masks, samples("cat"))
    assert found["cat"].name == "cat.png"


def write_predicted(folder, classes, values):
    """A mask of ``weakseg predict`` in a run whose classes had other values."""
    masks = folder / "masks"
    masks.mkdir()
    Image.fromarray(np.array([values], np.uint8)).save(masks / "cat.png")
    write_list(folder, [("../cat.jpg", "masks/cat.png")])
    (folder / "classes.txt").write_text(classes, encoding="utf-8")
    return masks


@pytest.mark.parametrize("record", ["masks.csv", "label.json"])
def test_values_are_those_that_predict_or_label_has_written(tmp_path, record):
    masks = write_predicted(tmp_path, "dog\t1\nbig cat\t2\n", [0, 1, 2, 255])
    if record == "label.json":
        (tmp_path / "masks.csv").unlink()
        (tmp_path / record).write_text("{}", encoding="utf-8")
    images = ImageSet(Classes(("big cat", "dog"), (1, 2), voc_palette()), samples("cat"))
    read, told = mask_reader(masks, images)
    assert read(images.samples[0]).tolist() == [[0, 2, 1, 255]]
    assert told == ["mask values are those of the classes.txt beside them: 1 dog, 2 big cat"]
    (tmp_path / record).unlink()  # now classes.txt may be anybody's
    read, told = mask_reader(masks, images)
    assert read(images.samples[0]).tolist() == [[0, 1, 2, 255]]
    assert told == []


def test_a_predicted_class_that_the_data_lack_is_named(tmp_path):
    masks = write_predicted(tmp_path, "dog\t1\nhorse\t2\n", [0, 2])
    images = ImageSet(Classes(("cat", "dog"), (2, 7), voc_palette()), samples("cat"))
    read, _ = mask_reader(masks, images)
    with pytest.raises(WeaksegError, match=r"value 2 \(horse\) is of no class; values are 0 background, 1 dog, 255"):
        read(images.samples[0])
