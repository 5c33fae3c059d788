"""A run's network on photos of one's own: one, many, folders and videos."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
import weakseg
from conftest import FinishedRun
from weakseg.data.images import read_image, read_mask


@pytest.fixture(scope="module")
def segment(finished_run: FinishedRun) -> weakseg.Segmenter:
    return weakseg.load_segmenter(finished_run.folder)


@pytest.fixture
def folder(finished_run: FinishedRun, tmp_path: Path) -> Path:
    """Three photos, one of them deeper, and files that are none."""
    found = tmp_path / "new"
    (found / "deeper").mkdir(parents=True)
    for name, to in (("v1", "b.jpg"), ("v0", "a.jpg"), ("v2", "deeper/c.jpg")):
        shutil.copy(finished_run.photos / "JPEGImages" / f"{name}.jpg", found / to)
    (found / "notes.txt").write_text("none")
    return found


def test_the_network_segments_an_array_as_the_run_did(segment: weakseg.Segmenter, finished_run: FinishedRun) -> None:
    sample = weakseg.open_data(f"voc:{finished_run.photos}").splits["val"][0]
    found = segment(sample.read_image())
    assert (found.labels == weakseg.open_run(finished_run.folder).prediction(sample.id)).all()
    assert found.confidence.dtype == np.float32
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    assert segment.names == tuple(tiny.CLASSES)
    assert (segment.predict(sample).labels == found.labels).all()
    with pytest.raises(weakseg.WeaksegError, match=r"uint8 \(H, W, 3\) of red, green and blue, or grey \(H, W\), not"):
        segment(np.zeros((4, 4, 3)))


def test_one_photo_is_one_segmentation_in_any_form(segment: weakseg.Segmenter, folder: Path) -> None:
    image = read_image(folder / "a.jpg")
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    wanted = segment(image)
    for photo in (image, tensor, tensor / 255, Image.open(folder / "a.jpg"), folder / "a.jpg", str(folder / "a.jpg")):
        found = segment.predict(photo)
        assert isinstance(found, weakseg.Segmentation)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.image, image)
    assert segment.predict(image[..., 0]).labels.shape == image.shape[:2]


def test_many_photos_are_segmented_as_they_are_asked_for(segment: weakseg.Segmenter, folder: Path) -> None:
    given = []

    def frames() -> Iterator[np.ndarray]:
        for name in ("a", "b"):
            given.append(name)
            yield read_image(folder / f"{name}.jpg")

    found = segment.predict(frames())
    assert given == []
    assert (next(found).labels == segment(folder / "a.jpg").labels).all()
    assert given == ["a"]
    mixed = [folder / "a.jpg", read_image(folder / "b.jpg"), Image.open(folder / "deeper" / "c.jpg"), "gone.jpg"]
    many = segment.predict(mixed)
    assert [next(many).labels.shape for _ in range(3)] == [read_image(file).shape[:2] for file in files(folder)]
    with pytest.raises(weakseg.WeaksegError, match=r"photos\[3\]: gone.jpg: no such file"):
        next(many)
    assert list(segment.predict([])) == []
    batch = torch.zeros(2, 3, 20, 30)
    assert [each.labels.shape for each in segment.predict(list(batch))] == [(20, 30)] * 2


def files(folder: Path) -> list[Path]:
    return [folder / "a.jpg", folder / "b.jpg", folder / "deeper" / "c.jpg"]


def test_a_folder_is_gone_through_in_order(
    segment: weakseg.Segmenter, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jpg").write_text("none")
    (folder / "x.heic").write_text("none")
    found = dict(segment.predict(folder))
    assert list(found) == files(folder)
    assert (found[folder / "b.jpg"].labels == segment(folder / "b.jpg").labels).all()
    said = " ".join(capsys.readouterr().err.split())
    assert "left out: " in said
    assert "bad.jpg: no picture in a known format" in said
    assert "1 .heic; convert them to JPEG or PNG" in said
    (folder / "empty").mkdir()
    with pytest.raises(weakseg.WeaksegError, match=r"empty: no images there; known are .jpg"):
        segment.predict(folder / "empty")
    with pytest.raises(weakseg.WeaksegError, match="nowhere: no such folder"):
        segment.predict_folder(folder / "nowhere")


def test_a_video_is_segmented_frame_by_frame(segment: weakseg.Segmenter, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    rng = np.random.default_rng(0)
    with av.open(str(tmp_path / "film.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())
    with av.open(str(tmp_path / "film.mp4")) as film:
        frames = (frame.to_ndarray(format="rgb24") for frame in film.decode(video=0))
        found = [each.labels.shape for each in segment.predict(frames)]
    assert found == [(48, 64)] * 3


@pytest.mark.parametrize("photos", [None, b"photo", {"a": 1}, 3, np.zeros((1, 4, 4, 3), np.uint8)])
def test_what_is_neither_photo_nor_photos(segment: weakseg.Segmenter, photos: object) -> None:
    with pytest.raises(weakseg.WeaksegError, match="a photo is a numpy array"):
        segment.predict(photos)


def test_a_segmentation_tells_and_shows_what_it_holds(segment: weakseg.Segmenter, tmp_path: Path) -> None:
    labels = np.zeros((10, 20), np.uint8)
    labels[:5, :10], labels[9] = 3, 1
    image = np.full((10, 20, 3), 100, np.uint8)
    found = weakseg.Segmentation(labels, np.full((10, 20), 0.9, np.float32), image, segment.classes)
    assert list(found.areas.items()) == [("dog", 0.25), ("cat", 0.1)]
    assert repr(found) == "<Segmentation 20x10: dog 25.0 %, cat 10.0 %>"
    drawn = np.asarray(found.overlay(alpha=1.0))
    dog = segment.classes.palette[tiny.CLASSES["dog"]]
    assert (drawn[:5, :10] == dog).all()
    assert (drawn[6] == 100).all()
    shown = np.asarray(found.show(size=(60, 120)))
    assert shown.shape[1] > 3 * 120
    assert (shown == dog).all(axis=2).any()
    found.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(segment.classes.to_labels(read_mask(tmp_path / "mask.png")), labels)
    empty = weakseg.Segmentation(labels * 0, found.confidence, image, segment.classes)
    assert (empty.areas, repr(empty)) == ({}, "<Segmentation 20x10: background>")
