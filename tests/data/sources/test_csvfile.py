from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.sources.csvfile import open_csv
from weakseg.errors import WeaksegError

Text = Callable[[Path, str], Path]
Photo = Callable[..., Path]


def test_images_and_tags(tmp_path: Path, text: Text, photo: Photo) -> None:
    photo(tmp_path / "photos/1.jpg")
    photo(tmp_path / "photos/2.png")
    source = open_csv(text(tmp_path / "t.csv", "image,tags\nphotos/2.png,dog|cat\nphotos/1.jpg,\n"))
    assert source.spec == f"csv:{tmp_path / 't.csv'}"
    assert (source.classes.names, source.classes.values) == (("cat", "dog"), (1, 2))
    assert list(source.splits) == ["train"]
    assert [(s.id, s.tags, s.mask) for s in source.splits["train"]] == [
        ("photos/2", ("dog", "cat"), None),
        ("photos/1", (), None),
    ]
    assert source.splits["train"][0].read_image().shape == (6, 8, 3)
    assert (source.problems, source.warnings) == ((), ())


def test_splits_masks_and_classes(tmp_path: Path, text: Text, photo: Photo, mask: Photo) -> None:
    for name in ("1", "2", "3"):
        photo(tmp_path / f"{name}.jpg")
    mask(tmp_path / "m/2.png", (0, 12))
    text(tmp_path / "classes.txt", "dog,12\ncat,8\n")
    content = "image,tags,mask,split\n1.jpg,cat,,\n2.jpg,dog,m/2.png,val\n3.jpg,cat,m/3.png,val\n"
    source = open_csv(text(tmp_path / "t.csv", content))
    assert (source.classes.names, source.classes.values) == (("dog", "cat"), (12, 8))
    assert {split: [s.id for s in samples] for split, samples in source.splits.items()} == {
        "train": ["1"],
        "val": ["2", "3"],
    }
    assert set(source.splits["val"][0].read_mask().flat) == {0, 12}
    assert source.splits["val"][1].mask is None
    assert source.problems == (f"{tmp_path / 'm/3.png'}: no such mask (t.csv line 4); its image is kept without one",)
    assert source.warnings == ()


def test_guessed_mask_values_are_told(tmp_path: Path, text: Text, photo: Photo, mask: Photo) -> None:
    photo(tmp_path / "1.jpg")
    mask(tmp_path / "1.png")
    source = open_csv(text(tmp_path / "t.csv", "image,tags,mask\n1.jpg,dog cat,1.png\n"))
    assert len(source.warnings) == 1
    assert "cat 1, dog 2" in source.warnings[0]
    assert "classes.txt" in source.warnings[0]


def test_missing_images_are_left_out_by_name(tmp_path: Path, text: Text, photo: Photo) -> None:
    photo(tmp_path / "1.jpg")
    (tmp_path / "folder.jpg").mkdir()
    content = (
        "image,tags,split\n1.jpg,cat,train\n2.jpg,dog,train\nfolder.jpg,dog,val\n\n3.jpg,x,y,z\n\0.jpg,cat,train\n"
    )
    source = open_csv(text(tmp_path / "t.csv", content))
    assert [s.id for s in source.splits["train"]] == ["1"]
    assert source.classes.names == ("cat", "dog")  # not fewer than with the picture
    assert len(source.problems) == 4
    assert "t.csv line 6: 4 fields" in source.problems[0]
    assert source.problems[1] == f"{tmp_path / '2.jpg'}: no such image (t.csv line 3)"
    with pytest.raises(WeaksegError, match=r"split 'val' is empty: none of its images exists; .*folder.jpg"):
        source.image_set("val")


def test_table_without_rows_opens_but_gives_no_split(tmp_path: Path, text: Text) -> None:
    path = text(tmp_path / "t.csv", "image,tags\n")
    text(tmp_path / "classes.txt", "cat\n")
    with pytest.raises(WeaksegError, match=r"split 'train' is empty: .*t.csv lists no image"):
        open_csv(path).image_set("train")


def test_table_without_any_tag(tmp_path: Path, text: Text, photo: Photo) -> None:
    photo(tmp_path / "1.jpg")
    with pytest.raises(WeaksegError, match=r"t.csv: no image has a tag"):
        open_csv(text(tmp_path / "t.csv", "image,tags\n1.jpg,\n"))
    with pytest.raises(WeaksegError, match=r"no image has a tag; the first of 2 problems: .*2.jpg: no such image"):
        open_csv(text(tmp_path / "t.csv", "image,tags\n2.jpg,\n3.jpg,nan\n"))


def test_repeated_rows_unite_their_tags(tmp_path: Path, text: Text, photo: Photo) -> None:
    for name in ("1.jpg", "2.jpg"):
        photo(tmp_path / name)
    content = (
        "image,tags,split\n1.jpg,cat,train\n2.jpg,cat,train\n./1.jpg,dog cat,train\n1.jpg,cat,train\n1.jpg,cat,val\n"
    )
    source = open_csv(text(tmp_path / "t.csv", content))
    assert [(s.id, s.tags) for s in source.splits["train"]] == [("1", ("cat", "dog")), ("2", ("cat",))]
    assert [(s.id, s.tags) for s in source.splits["val"]] == [("1", ("cat",))]
    assert source.warnings == ("t.csv: 2 rows repeat an image, tags united (line 4: 1.jpg, first on line 2)",)


def test_ids_of_paths_outside_the_folder(tmp_path: Path, text: Text, photo: Photo) -> None:
    inside, outside = photo(tmp_path / "set/photos/1.jpg"), photo(tmp_path / "other/1.jpg")
    rows = ["photos/1.jpg", "../other/1.jpg", str(outside), "photos\\1.jpg", "photos/../photos/1.jpg", str(inside)]
    content = "image,tags\n" + "".join(f"{row},cat\n" for row in rows)
    source = open_csv(text(tmp_path / "set/t.csv", content))
    assert [s.id for s in source.splits["train"]] == ["photos/1", "other/1"]
    assert [s.read_image().shape for s in source.splits["train"]] == [(6, 8, 3)] * 2
    assert source.problems == ()


def test_images_that_differ_in_suffix_only(tmp_path: Path, text: Text, photo: Photo) -> None:
    for name in ("1.jpg", "1.png"):
        photo(tmp_path / name)
    source = open_csv(text(tmp_path / "t.csv", "image,tags\n1.png,cat\n1.jpg,cat\n"))
    assert [s.id for s in source.splits["train"]] == ["1", "1-jpg"]


def test_tags_that_classes_txt_lacks(tmp_path: Path, text: Text, photo: Photo) -> None:
    photo(tmp_path / "1.jpg")
    text(tmp_path / "classes.txt", "cat\ntraffic light\n")
    assert open_csv(text(tmp_path / "t.csv", "image,tags\n1.jpg,traffic light\n")).splits["train"][0].tags == (
        "traffic light",
    )
    text(tmp_path / "t.csv", "image,tags\n1.jpg,cat\n1.jpg,cta\n")
    with pytest.raises(
        WeaksegError, match=r"t.csv line 3: 1.jpg: no class 'cta' in .*classes.txt; available: cat, traffic light"
    ):
        open_csv(tmp_path / "t.csv")


def test_images_that_are_no_names(tmp_path: Path, text: Text) -> None:
    source = open_csv(text(tmp_path / "t.csv", "image,tags\n.,cat\n..,cat\n/,cat\n"))
    assert len(source.problems) == 3


def test_names_that_differ_in_case_or_blanks_are_one_class(tmp_path: Path, text: Text, photo: Photo) -> None:
    for name in "1234":
        photo(tmp_path / f"{name}.jpg")
    content = "image,tags\n1.jpg,Cat; traffic light\n2.jpg,cat\n3.jpg,Traffic  Light;\n4.jpg,trafficlight\n"
    source = open_csv(text(tmp_path / "t.csv", content))
    assert source.classes.names == ("cat", "traffic light")
    assert [s.tags for s in source.splits["train"]] == [
        ("cat", "traffic light"),
        ("cat",),
        ("traffic light",),
        ("traffic light",),
    ]
    assert len(source.warnings) == 2
    assert "'cat', 'Cat' are taken as one class, 'cat'" in source.warnings
    text(tmp_path / "classes.txt", "Cat\nTraffic light\n")
    source = open_csv(tmp_path / "t.csv")
    assert source.splits["train"][0].tags == ("Cat", "Traffic light")
    assert source.warnings == ()


def test_one_picture_in_two_rows_is_one_sample(tmp_path: Path, text: Text, photo: Photo) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "c/2.jpg"):
        photo(tmp_path / name, shade=9)
    photo(tmp_path / "d/1.jpg", shade=200)
    content = (
        "image,tags,split\na/1.jpg,cat,\nb/1.jpg,dog,\nc/2.jpg,cat,\nd/1.jpg,dog,\nb/1.jpg,cat,val\na/1.jpg,cat,val\n"
    )
    source = open_csv(text(tmp_path / "t.csv", content))
    assert [(s.id, s.tags) for s in source.splits["train"]] == [
        ("a/1", ("cat", "dog")),
        ("c/2", ("cat",)),
        ("d/1", ("dog",)),
    ]
    assert any(
        "2 pictures are listed twice, byte for byte the same; tags united (b/1 is a/1)" in w for w in source.warnings
    )
    assert any("in two splits, byte for byte the same (b/1 of val is a/1 of train)" in w for w in source.warnings)


def test_vocs_values_are_taken_where_the_masks_hold_them(tmp_path: Path, text: Text, photo: Photo, mask: Photo) -> None:
    for name, values in (("1", (0, 8)), ("2", (0, 12, 255))):
        photo(tmp_path / f"{name}.jpg")
        mask(tmp_path / f"{name}.png", values)
    path = text(tmp_path / "t.csv", "image,tags,mask\n1.jpg,cat,1.png\n2.jpg,dog,2.png\n")
    source = open_csv(path)
    assert source.classes.values == (8, 12)
    assert "cat 8, dog 12" in source.warnings[0]
    mask(tmp_path / "1.png", (0, 1))
    mask(tmp_path / "2.png", (0, 2))
    assert open_csv(path).classes.values == (1, 2)


def test_one_class_may_be_255_in_its_masks(tmp_path: Path, text: Text, photo: Photo, mask: Photo) -> None:
    photo(tmp_path / "1.jpg")
    mask(tmp_path / "1.png", (0, 255))
    text(tmp_path / "classes.txt", "lesion 255\n")
    source = open_csv(text(tmp_path / "t.csv", "image,tags,mask\n1.jpg,lesion,1.png\n"))
    assert set(source.classes.to_labels(source.splits["train"][0].read_mask()).flat) == {0, 1}
