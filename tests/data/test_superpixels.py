from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from weakseg.data.images import read_image
from weakseg.data.superpixels import load_superpixels, save_superpixels, superpixels
from weakseg.errors import WeaksegError

Golden = Callable[[str], dict[str, NDArray[Any]]]


def overlap(labels: NDArray[Any], reference: NDArray[Any]) -> float:
    """Mean over the reference's segments of the IoU with the segment that covers most of it."""
    scores = []
    for value in np.unique(reference):
        segment = reference == value
        nearest = labels == np.bincount(labels[segment]).argmax()
        scores.append((nearest & segment).sum() / (nearest | segment).sum())
    return float(np.mean(scores))


def test_they_are_those_that_the_released_code_takes(golden: Golden) -> None:
    if not skimage.__version__.startswith("0.26."):
        pytest.skip(f"the reference is of scikit-image 0.26.0, this is {skimage.__version__}")
    data = golden("cpn_patches")
    # The crop is kept at half precision, which moves a few pixels from one super-pixel to the next.
    labels = superpixels(data["small_im"].transpose(1, 2, 0).astype(np.float32))
    assert abs(int(labels.max()) - int(data["n_sp"])) <= 1
    assert overlap(labels, data["slic"]) > 0.97


def test_photos_have_about_as_many_as_asked_for(animals: Path) -> None:
    photo = read_image(sorted((animals / "JPEGImages").iterdir())[0])
    few, many = (superpixels(photo, segments=segments) for segments in (50, 400))
    assert few.shape == many.shape == photo.shape[:2]
    assert few.dtype == np.int32
    for labels, segments in ((few, 50), (many, 400)):
        assert np.array_equal(np.unique(labels), np.arange(1, labels.max() + 1))
        assert segments / 4 < labels.max() < segments * 1.5  # SLIC joins pieces that are too small
    assert np.array_equal(superpixels(photo, segments=50), few)


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (31, 7)])
def test_photos_of_any_size_and_of_one_colour(size: tuple[int, int]) -> None:
    labels = superpixels(np.full((*size, 3), 7, dtype=np.uint8))
    assert labels.shape == size
    assert labels.min() == 1


def test_they_are_kept_as_they_are(tmp_path: Path) -> None:
    labels = np.arange(65536, dtype=np.int32).reshape(256, 256)
    path = tmp_path / "deep" / "cat.1.png"
    save_superpixels(path, labels)
    loaded = load_superpixels(path)
    assert loaded.dtype == np.int32
    assert np.array_equal(loaded, labels)
    assert [file.name for file in path.parent.iterdir()] == ["cat.1.png"]


def test_damaged_files_name_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_superpixels(path, np.ones((40, 40), dtype=np.int32))
    whole = path.read_bytes()
    for content in (b"", whole[:60], b"no picture"):
        path.write_bytes(content)
        with pytest.raises(WeaksegError, match=r"a\.png: not readable as super-pixels; delete it"):
            load_superpixels(path)
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(WeaksegError, match=r"a\.png: holds no 16-bit labels; delete it"):
        load_superpixels(path)


def test_more_than_can_be_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weakseg.data.superpixels.MOST", 10)
    with pytest.raises(WeaksegError, match="at most 10 can be kept; lower segments"):
        superpixels(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8))
