from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weakseg.data.images import voc_palette
from weakseg.data.sample import Array, Classes, Sample, Source
from weakseg.data.source import SOURCES, inspect, open_source, summary
from weakseg.errors import WeaksegError

CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())
Make = Callable[..., Path]


def never() -> Array:
    raise AssertionError("composed pictures need no check")


@pytest.fixture
def samples(tmp_path: Path, photo: Make, mask: Make) -> list[Sample]:
    """Sound, truncated, text, and with a mask of another size, in this order."""
    for name in "abcd":
        photo(tmp_path / f"{name}.jpg", size=(16, 12))
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "c.jpg").write_text("text")
    masks = {"a": mask(tmp_path / "a.png", size=(16, 12)), "d": mask(tmp_path / "d.png", size=(12, 16))}
    return [Sample(name, tmp_path / f"{name}.jpg", ("cat",), masks.get(name)) for name in "abcd"]


@pytest.mark.parametrize("spec", ["", "voc", "voc:", "image:x", "csv:", "folders"])
def test_strings_that_open_nothing(spec: str) -> None:
    with pytest.raises(WeaksegError, match=r"unknown data source .*; available: voc:PATH, csv:PATH.csv, coco:PATH"):
        open_source(spec)


@pytest.mark.parametrize("spec", ["some/folder", "photos.csv", "tags.json"])
def test_paths_that_lead_nowhere(spec: str) -> None:
    with pytest.raises(WeaksegError, match=f"{spec}: no such file or folder; available data sources: voc:PATH"):
        open_source(spec)


def test_paths_are_understood_by_suffix_or_layout(tmp_path: Path, photo: Make, text: Make) -> None:
    photo(tmp_path / "folders/cat/1.jpg")
    table = text(tmp_path / "folders/tags.tsv", "image\ttags\ncat/1.jpg\tdog\n")
    assert open_source(str(table)).classes.names == ("dog",)
    assert open_source(str(tmp_path / "folders")).spec == f"csv:{table}"
    table.unlink()
    assert open_source(str(tmp_path / "folders")).spec == f"folders:{tmp_path / 'folders'}"
    (tmp_path / "voc/JPEGImages").mkdir(parents=True)
    with pytest.raises(WeaksegError, match="Segmentation: no such folder"):
        open_source(str(tmp_path / "voc"))
    for name in ("a.csv", "b.csv"):
        text(tmp_path / "tables" / name, "image,tags\n")
    with pytest.raises(WeaksegError, match="no data set in this folder; it holds 2 tables, name one"):
        open_source(str(tmp_path / "tables"))
    with pytest.raises(WeaksegError, match="no data source by its suffix"):
        open_source(str(tmp_path / "folders/cat/1.jpg"))


def test_schemes(tmp_path: Path, photo: Make, text: Make) -> None:
    photo(tmp_path / "cat/1.jpg")
    text(tmp_path / "t.csv", "image,tags\ncat/1.jpg,cat\n")
    assert sorted(SOURCES.names()) == [
        "camvid",
        "cityscapes",
        "coco",
        "csv",
        "cvat",
        "folders",
        "labelstudio",
        "scenes",
        "toys",
        "voc",
    ]
    assert open_source(f"folders:{tmp_path}").splits["train"][0].id == "cat/1"
    assert open_source(f"csv:{tmp_path}/t.csv").splits["train"][0].id == "cat/1"
    with pytest.raises(WeaksegError, match="JPEGImages"):
        open_source(f"voc:{tmp_path}")


def test_inspect_sorts_out_broken_files(samples: list[Sample], tmp_path: Path) -> None:
    good, problems = inspect(samples, masks=True)
    assert [sample.id for sample in good] == ["a"]
    assert len(problems) == 3
    assert problems[0].startswith(f"{tmp_path / 'b.jpg'}: cannot be read")
    assert problems[1] == f"{tmp_path / 'c.jpg'}: no picture in a known format"
    assert problems[2] == f"{tmp_path / 'd.png'}: 12x16, but {tmp_path / 'd.jpg'} is 16x12"


def test_inspect_leaves_masks_alone_unless_asked(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    assert [sample.id for sample in inspect(samples)[0]] == ["a", "d"]
    assert [sample.id for sample in inspect(samples, masks=True)[0]] == []


def test_inspect_gives_sound_samples_back_as_they_came(samples: list[Sample]) -> None:
    sound = [samples[0]] * 600
    done: list[int] = []
    good, problems = inspect(sound, masks=True, progress=done.append)
    assert good is sound
    assert problems == []
    assert sum(done) == 600
    assert len(done) > 1
    assert inspect([]) == ([], [])


def test_composed_pictures_are_neither_made_nor_counted_broken() -> None:
    composed = [Sample(str(i), never, ("cat",), never) for i in range(3)]
    assert inspect(composed, masks=True) == (composed, [])
    found = summary(Source("scenes", CLASSES, {"train": composed}))
    assert (found.images, found.problems) == (3, ())


def test_summary_counts(samples: list[Sample]) -> None:
    a, b = samples[:2]
    both = Sample("e", a.image, ("cat", "dog"))
    splits = {"train": [a, b, both], "tiny": [a], "val": [Sample("f", a.image, ())], "test": []}
    done: list[int] = []
    found = summary(Source("voc:x", CLASSES, splits, ("gone",), ("beware",)), progress=done.append)
    assert found.images == 4
    assert found.split_images == {"train": 3, "tiny": 1, "val": 1, "test": 0}
    assert found.split_tags["train"] == {"cat": 3, "dog": 1}
    assert found.split_tags["test"] == {"cat": 0, "dog": 0}
    assert found.mean_tags == {"train": pytest.approx(4 / 3), "tiny": 1, "val": 0, "test": 0}
    assert found.problems[0] == "gone"
    assert "b.jpg" in found.problems[1]
    assert len(found.problems) == 2
    assert found.warnings == ("beware",)
    assert sum(done) == 5


def test_a_broken_file_in_two_splits_is_named_once(samples: list[Sample]) -> None:
    source = Source("voc:x", CLASSES, {"train": samples, "tiny": samples})
    assert len(summary(source).problems) == 3
    assert summary(source, decode=False).problems == ()


def test_real_photos(animals: Path) -> None:
    source = open_source(f"voc:{animals}")
    assert (len(source.splits["train"]), len(source.splits["val"])) == (749, 200)
    assert source.classes.names == ("cat", "cow", "dog", "horse", "person", "sheep")
    assert source.classes.values == (8, 10, 12, 13, 15, 17)
    assert (source.problems, source.warnings) == ((), ())
    train, val = source.image_set("train"), source.image_set("val", masks=True)
    assert all(sample.mask is None for sample in train.samples)
    for sample in val.samples[:20]:
        image, labels = sample.read_image(), source.classes.to_labels(sample.read_mask())
        assert labels.shape == image.shape[:2]
        assert set(labels.flat) <= {0, *range(1, 7), 255}
    assert inspect(val.samples, masks=True) == (val.samples, [])
    assert summary(source, decode=False).split_tags["train"] == {
        "cat": 150, "cow": 152, "dog": 150, "horse": 162, "person": 166, "sheep": 153
    }  # fmt: skip
