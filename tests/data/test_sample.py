from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pytest

from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample, Source
from weakseg.errors import WeaksegError

CLASSES = Classes(("cat", "dog"), (8, 12), voc_palette())


class Lazy(Sequence[Sample]):
    """A hundred thousand samples, of which only those asked for are made."""

    made = 0

    def __len__(self) -> int:
        return 100_000

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        self.made += 1
        return Sample(str(index), Path("a.png"), ("cat",), Path("m.png"))


def test_labels_and_values() -> None:
    mask = np.array([[0, 8, 12, 255, 3]], dtype=np.uint8)
    labels = CLASSES.to_labels(mask)
    assert labels.tolist() == [[0, 1, 2, 255, 255]]
    assert CLASSES.to_values(labels).tolist() == [[0, 8, 12, 255, 255]]


def test_tags_become_a_vector() -> None:
    assert CLASSES.multi_hot(("dog",)).tolist() == [0.0, 1.0]
    assert CLASSES.multi_hot(()).tolist() == [0.0, 0.0]
    with pytest.raises(WeaksegError, match="unknown class 'cow'; available: cat, dog"):
        CLASSES.multi_hot(("cow",))


def test_files_and_functions_are_read_alike(
    tmp_path: Path, photo: Callable[..., Path], mask: Callable[..., Path]
) -> None:
    sample = Sample("a", photo(tmp_path / "a.png"), ("cat",), mask(tmp_path / "m.png", (0, 8)))
    composed = Sample("a", sample.read_image, ("cat",), sample.read_mask)
    np.testing.assert_array_equal(sample.read_image(), composed.read_image())
    np.testing.assert_array_equal(sample.read_mask(), composed.read_mask())
    with pytest.raises(WeaksegError, match="a: no mask"):
        Sample("a", tmp_path / "a.png", ()).read_mask()


def test_hiding_masks_makes_no_sample_before_it_is_asked_for() -> None:
    lazy = Lazy()
    images = ImageSet(CLASSES, lazy).without_masks()
    assert len(images) == 100_000
    assert lazy.made == 0
    assert images.samples[7].id == "7"
    assert lazy.made == 1
    assert [sample.mask for sample in images.samples[5:9]] == [None] * 4
    assert images.samples[5:9][2].id == "7"


def test_no_way_leads_to_a_hidden_mask() -> None:
    samples = [Sample(str(i), Path("a.png"), (), Path("m.png")) for i in range(5)]
    hidden = ImageSet(CLASSES, samples).without_masks().samples
    for view in (hidden, hidden[1:], list(reversed(hidden)), pickle.loads(pickle.dumps(hidden)), [hidden[-1]]):
        assert all(sample.mask is None for sample in view)
    assert samples[0].mask == Path("m.png")


def test_a_split_comes_without_masks_unless_asked_for() -> None:
    source = Source("voc:x", CLASSES, {"train": [Sample("1", Path("a.png"), (), Path("m.png"))]})
    assert source.image_set("train").samples[0].mask is None
    assert source.image_set("train", masks=True).samples[0].mask == Path("m.png")


def test_a_split_that_is_not_there_or_empty() -> None:
    splits = {"train": [Sample("1", Path("a.png"), ())], "val": []}
    source = Source("voc:x", CLASSES, splits, empty={"val": "val.txt lists no image"})
    with pytest.raises(WeaksegError, match="unknown split of voc:x 'test'; available: train, val"):
        source.image_set("test")
    with pytest.raises(WeaksegError, match=r"split 'val' is empty: val.txt lists no image; .*: train \(1\)"):
        source.image_set("val")
