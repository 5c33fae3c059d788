"""Photos in every form that Python programs hold them in become the same array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from weakseg.api.pixels import photo_array
from weakseg.data.images import read_image
from weakseg.data.sample import Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.network import RunNetwork

ORIENTATION = 0x0112
NOBODY: Any = None
NETWORK = RunNetwork(nn.Identity(), NOBODY, NOBODY, torch.device("cpu"))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def seen(photo: object, network: RunNetwork = NETWORK) -> np.ndarray:
    found = photo_array(photo, network)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert found.flags.writeable
    return found


def test_arrays_tensors_and_images_are_the_same_photo(image: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(image).save(tmp_path / "photo.png")
    image.setflags(write=False)
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)
    forms = [
        image,
        image[..., ::-1].copy()[..., ::-1],  # OpenCV's, mirrored in memory
        np.asfortranarray(image),
        Image.fromarray(image),
        Image.fromarray(image).convert("RGBA"),
        tensor,
        tensor.float() / 255,
        (tensor.double() / 255).requires_grad_(),
        tmp_path / "photo.png",
        str(tmp_path / "photo.png"),
        Sample("photo", tmp_path / "photo.png", ()),
    ]
    for form in forms:
        np.testing.assert_array_equal(seen(form), image)


def test_grey_is_grey_in_three_channels(image: np.ndarray) -> None:
    grey = image[..., 0]
    wanted = np.repeat(grey[..., None], 3, axis=2)
    tensor = torch.from_numpy(grey.copy())
    for form in (grey, grey[..., None], tensor, tensor[None], tensor / 255, Image.fromarray(grey)):
        np.testing.assert_array_equal(seen(form), wanted)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_an_open_file_is_turned_as_its_file_is_and_stays_as_it_is(
    suffix: str, orientation: int, image: np.ndarray, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(image).save(tmp_path / f"photo.{suffix}", exif=exif)
    opened = Image.open(tmp_path / f"photo.{suffix}")
    np.testing.assert_array_equal(seen(opened), read_image(tmp_path / f"photo.{suffix}"))
    if suffix != "tif":  # which PIL itself turns when it loads it
        assert opened.size == (17, 12)
        assert opened.getexif()[ORIENTATION] == orientation


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"])
def test_every_mode_is_read_as_its_file_is(mode: str, image: np.ndarray, tmp_path: Path) -> None:
    if mode in ("I;16", "I", "F"):
        deep = image[..., 0].astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]) * 200
        made = Image.fromarray(deep)
    else:
        made = Image.fromarray(image).convert(mode)
    assert made.mode == mode
    if mode == "HSV":  # no file has it
        assert np.abs(seen(made).astype(int) - image).max() <= 6
        return
    made.save(tmp_path / "photo.tif")
    np.testing.assert_array_equal(seen(made), read_image(tmp_path / "photo.tif"))


def test_deep_grey_is_as_bright_as_when_the_network_learnt(image: np.ndarray, tmp_path: Path) -> None:
    deep = (image[..., 0].astype(np.uint16)) * 4
    Image.fromarray(deep).save(tmp_path / "deep.png")
    network = RunNetwork(nn.Identity(), NOBODY, NOBODY, torch.device("cpu"), (0.0, 1020.0))
    wanted = np.repeat(image[..., :1], 3, axis=2)
    for form in (tmp_path / "deep.png", Image.open(tmp_path / "deep.png"), Sample("deep", tmp_path / "deep.png", ())):
        np.testing.assert_array_equal(seen(form, network), wanted)


def test_transparent_is_white() -> None:
    made = Image.new("RGBA", (4, 3), (200, 0, 0, 255))
    made.paste((0, 0, 0, 0), (0, 0, 2, 3))
    found = seen(made)
    assert (found[:, :2] == 255).all()
    assert (found[:, 2:] == (200, 0, 0)).all()


@pytest.mark.parametrize(
    ("photo", "match"),
    [
        (np.zeros((4, 5, 3)), r"not float64 \(4, 5, 3\); of values in \[0, 1\] make"),
        (np.zeros((4, 5, 3), np.int64), r"not int64"),
        (np.zeros((3, 4, 5), np.uint8), r"the channels come last \(photo.transpose\(1, 2, 0\)\)"),
        (np.zeros((4, 5, 4), np.uint8), r"leave the fourth channel out"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"given as predict\(list\(photos\)\)"),
        (np.zeros((0, 5, 3), np.uint8), r"not uint8 \(0, 5, 3\)"),
        (torch.zeros(4, 5, 3), r"not torch.float32 \(4, 5, 3\); the channels come first \(photo.permute"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), r"not torch.int64"),
        (torch.zeros(2, 3, 4, 5), r"given as predict\(list\(photos\)\)"),
        (torch.full((3, 4, 5), 2.0), r"go from 0 to 1, here from 2 to 2; undo a normalisation"),
        (torch.full((3, 4, 5), -0.1), r"here from -0.1"),
        (torch.full((3, 4, 5), float("nan")), r"here from nan to nan"),
        (torch.zeros(3, 0, 5), r"\(3, 0, 5\)"),
        (None, "not NoneType"),
        (b"photo", "not bytes"),
        ("gone.jpg", "gone.jpg: no such file or folder"),
        (Path(__file__).parent, "is a folder; predict takes folders"),
        (Path(__file__), "no picture in a known format"),
    ],
)
def test_what_is_no_photo_is_said_in_one_line(photo: object, match: str) -> None:
    with pytest.raises(WeaksegError, match=match) as caught:
        photo_array(photo, NETWORK)
    assert "\n" not in str(caught.value)


def test_a_broken_picture_is_said_too(image: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(image).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:200])
    with pytest.raises(WeaksegError, match="the PIL image cannot be read"):
        photo_array(Image.open(tmp_path / "cut.png"), NETWORK)
