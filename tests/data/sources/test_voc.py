from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.sample import Source
from weakseg.data.sources.voc import open_voc
from weakseg.errors import WeaksegError

Make = Callable[..., Path]


def lists(root: Path, **splits: str) -> None:
    folder = root / "ImageSets/Segmentation"
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in splits.items():
        (folder / f"{split}.txt").write_text(content, encoding="utf-8")


@pytest.fixture
def voc(tmp_path: Path, photo: Make, mask: Make, text: Make) -> Path:
    """Three photos with masks and a tags.csv: two to train, one to validate."""
    root = tmp_path / "VOC2012"
    for name, values in (("a1", (0, 8)), ("a2", (12, 255)), ("a3", (8, 12))):
        photo(root / f"JPEGImages/{name}.jpg")
        mask(root / f"SegmentationClassAug/{name}.png", values)
    text(root / "tags.csv", "image,tags\nJPEGImages/a1.jpg,cat\na2.jpg,dog\na3,dog cat\n")
    lists(root, train="a1\na2\n", val="a3\n")
    return root


def ids(source: Source) -> dict[str, list[str]]:
    return {split: [sample.id for sample in samples] for split, samples in source.splits.items()}


def xml(root: Path, name: str, *objects: str, head: str = "") -> None:
    inner = "".join(f"<object><name>{o}</name><part><name>head</name></part></object>" for o in objects)
    (root / "Annotations").mkdir(exist_ok=True)
    (root / f"Annotations/{name}.xml").write_text(f"{head}<annotation>{inner}</annotation>")


# --- layout ---


def test_everyday_folder(voc: Path) -> None:
    source = open_voc(voc)
    assert source.spec == f"voc:{voc}"
    assert (source.classes.names, source.classes.values) == (("cat", "dog"), (8, 12))
    assert ids(source) == {"train": ["a1", "a2"], "val": ["a3"]}
    sample = source.splits["val"][0]
    assert sample.tags == ("dog", "cat")
    assert sample.image == voc / "JPEGImages/a3.jpg"
    assert set(source.classes.to_labels(sample.read_mask()).flat) == {1, 2}
    assert (source.problems, source.warnings) == ((), ())


def test_two_columns_marks_blank_lines_and_repeats(voc: Path) -> None:
    two = "/JPEGImages/a1.jpg /SegmentationClassAug/a1.png\r\n\r\nJPEGImages/a2.jpg\tSegmentationClassAug/a2.png\r\n"
    lists(voc, train="\ufeff" + two, val="  a3  \n\na3.jpg\n")
    source = open_voc(voc)
    assert ids(source) == {"train": ["a1", "a2"], "val": ["a3"]}
    assert source.problems == ()
    assert source.warnings == (f"{voc / 'ImageSets/Segmentation/val.txt'}: 1 lines repeat an image, each is used once",)


def test_ids_are_strings_that_may_hold_dots_and_spaces(voc: Path, photo: Make, text: Make) -> None:
    for name in ("2007_000032", "my photo.v2", "0012"):
        photo(voc / f"JPEGImages/{name}.jpg")
    text(voc / "tags.csv", "image,tags\n2007_000032,cat\nJPEGImages/my photo.v2.jpg,cat\n0012,dog\n")
    lists(voc, train="2007_000032\nmy photo.v2\n0012\n", val="0012")
    assert ids(open_voc(voc))["train"] == ["2007_000032", "my photo.v2", "0012"]


def test_png_and_jpeg_images_with_jpg_first(voc: Path, photo: Make, text: Make) -> None:
    for name in ("b1.PNG", "b2.jpeg", "b3.png", "b3.jpg"):
        photo(voc / "JPEGImages" / name)
    text(voc / "tags.csv", "image,tags\nb1,cat\nb2,cat\nb3,cat\n")
    lists(voc, train="b1\nb2\nb3\n", val="b3")
    names = [sample.image.name for sample in open_voc(voc).splits["train"] if isinstance(sample.image, Path)]
    assert names == ["b1.PNG", "b2.jpeg", "b3.jpg"]


def test_segmentation_class_is_taken_where_there_is_no_aug(voc: Path) -> None:
    (voc / "SegmentationClassAug").rename(voc / "SegmentationClass")
    assert open_voc(voc).splits["val"][0].mask == voc / "SegmentationClass/a3.png"


def test_masks_may_be_missing(voc: Path) -> None:
    (voc / "SegmentationClassAug/a3.png").unlink()
    assert open_voc(voc).splits["val"][0].mask is None
    for file in (voc / "SegmentationClassAug").iterdir():
        file.unlink()
    (voc / "SegmentationClassAug").rmdir()
    source = open_voc(voc)
    assert source.splits["train"][0].mask is None
    assert source.problems == ()


def test_missing_images_are_left_out_and_named_once(voc: Path) -> None:
    lists(voc, train="a1\nzz\na2 1\n", val="zz\n", test="\n\n")
    source = open_voc(voc)
    assert ids(source) == {"test": [], "train": ["a1"], "val": []}
    assert set(source.problems) == {
        f"{voc / 'JPEGImages/zz'}: no such image (train.txt line 2)",
        f"{voc / 'JPEGImages/a2 1'}: no such image (train.txt line 3)",
    }
    with pytest.raises(WeaksegError, match=r"split 'val' is empty: none of the 1 images of .*val.txt .*first: zz"):
        source.image_set("val")
    with pytest.raises(WeaksegError, match=r"split 'test' is empty: .*test.txt lists no image; .*: train \(1\)"):
        source.image_set("test")


def test_folders_that_are_not_there(voc: Path, tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match="JPEGImages: no such folder; voc:PATH wants"):
        open_voc(tmp_path / "nowhere")
    with pytest.raises(WeaksegError, match=f"did you mean voc:{voc}"):
        open_voc(tmp_path)
    for file in (voc / "ImageSets/Segmentation").iterdir():
        file.unlink()
    with pytest.raises(WeaksegError, match="no split; write the ids"):
        open_voc(voc)


# --- classes ---


def test_classes_txt_counts(voc: Path, text: Make) -> None:
    text(voc / "classes.txt", "dog\nsheep\ncat\n")
    classes = open_voc(voc).classes
    assert (classes.names, classes.values) == (("dog", "sheep", "cat"), (12, 17, 8))
    text(voc / "classes.txt", "dog 1\ncat 2\n")
    assert open_voc(voc).classes.values == (1, 2)


def test_a_tag_that_classes_txt_lacks_is_an_error(voc: Path, text: Make) -> None:
    text(voc / "classes.txt", "cat\ncow\n")
    with pytest.raises(WeaksegError, match=r"tags.csv line 3: a2.jpg: no class 'dog' in .*; available: cat, cow"):
        open_voc(voc)


def test_other_classes_than_vocs_have_guessed_values(voc: Path, text: Make) -> None:
    text(voc / "tags.csv", "image,tags\na1,lynx\na2,cat\na3,\n")
    source = open_voc(voc)
    assert (source.classes.names, source.classes.values) == (("cat", "lynx"), (1, 2))
    assert source.splits["val"][0].tags == ()
    assert len(source.warnings) == 1
    assert "cat 1, lynx 2" in source.warnings[0]


# --- tags ---


def test_tags_of_annotations(voc: Path) -> None:
    (voc / "tags.csv").unlink()
    xml(voc, "a1", "person", "cat", "person")
    xml(voc, "a2")
    xml(voc, "a3", "dog")
    source = open_voc(voc)
    assert source.classes.names == ("cat", "dog", "person")
    assert [sample.tags for sample in source.splits["train"]] == [("person", "cat"), ()]
    assert source.warnings == ()


def test_tags_csv_comes_before_annotations(voc: Path) -> None:
    xml(voc, "a1", "sheep")
    assert open_voc(voc).splits["train"][0].tags == ("cat",)


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(("head", "match"), [("<oops>", "no element found"), (ENTITIES, "a DOCTYPE is not allowed")])
def test_broken_or_dangerous_annotations_are_left_out(voc: Path, head: str, match: str) -> None:
    (voc / "tags.csv").unlink()
    xml(voc, "a1", "cat", head=head)
    xml(voc, "a2", "dog")
    xml(voc, "a3", "dog")
    source = open_voc(voc)
    assert ids(source) == {"train": ["a2"], "val": ["a3"]}
    assert len(source.problems) == 1
    assert f"{voc / 'Annotations/a1.xml'}: broken annotation ({match}" in source.problems[0]


def test_tags_of_masks_come_with_a_warning(voc: Path, mask: Make) -> None:
    (voc / "tags.csv").unlink()
    mask(voc / "SegmentationClassAug/a1.png", (0, 255))
    source = open_voc(voc)
    assert source.classes.names == ("cat", "dog")
    assert [sample.tags for sample in source.splits["train"]] == [(), ("dog",)]
    assert source.splits["val"][0].tags == ("cat", "dog")
    assert len(source.warnings) == 1
    assert "the tags of 3 images are read from their masks" in source.warnings[0]


def test_mask_values_need_names(voc: Path, mask: Make, text: Make) -> None:
    (voc / "tags.csv").unlink()
    mask(voc / "SegmentationClassAug/a1.png", (0, 40))
    with pytest.raises(WeaksegError, match=r"a1.png: mask value 40 is not of VOC; name the classes in a classes.txt"):
        open_voc(voc)
    text(voc / "classes.txt", "lynx 40\ncat 8\n")
    source = open_voc(voc)
    assert [sample.tags for sample in source.splits["train"]] == [("lynx",), ()]


def test_images_without_tags_are_named_unless_their_mask_tells(voc: Path, text: Make) -> None:
    text(voc / "tags.csv", "image,tags\na1,cat\n")
    (voc / "SegmentationClassAug/a2.png").unlink()
    source = open_voc(voc)
    assert ids(source) == {"train": ["a1"], "val": ["a3"]}
    assert source.splits["val"][0].tags == ("cat", "dog")
    assert source.problems == (f"a2: no tags: no row in {voc / 'tags.csv'}",)
    assert "the tags of 1 images are read from their masks" in source.warnings[0]


def test_broken_masks_as_the_only_source_of_tags(voc: Path) -> None:
    (voc / "tags.csv").unlink()
    (voc / "SegmentationClassAug/a1.png").write_bytes(b"no png")
    source = open_voc(voc)
    assert ids(source)["train"] == ["a2"]
    assert "a1.png: no picture" in source.problems[0]


def test_a_split_without_any_tags(voc: Path, text: Make) -> None:
    (voc / "SegmentationClassAug/a3.png").unlink()
    text(voc / "tags.csv", "image,tags\na1,cat\na2,cat\na1,dog\n")
    source = open_voc(voc)
    assert source.splits["train"][0].tags == ("cat", "dog")
    assert source.warnings == (f"{voc / 'tags.csv'}: 1 rows repeat an image, tags united",)
    with pytest.raises(WeaksegError, match=r"split 'val' is empty: none of the images of .*val.txt has tags; a3: no"):
        source.image_set("val")
