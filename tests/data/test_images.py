from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from weakseg.data.images import (
    Encoded,
    encode_mask,
    overlay,
    read_image,
    read_mask,
    voc_palette,
    write_gray,
    write_image,
    write_mask,
)
from weakseg.errors import WeaksegError

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def colour(path: Path) -> list[int]:
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    return image[0, 0].tolist()


# --- pictures: every mode becomes RGB ---


def test_rgb_png_is_read_unchanged(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    read = read_image(saved(tmp_path / "a.png", Image.fromarray(image)))
    np.testing.assert_array_equal(read, image)
    assert read.flags.writeable  # torch.from_numpy warns of read-only memory


def test_grey_has_three_equal_channels(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.png", Image.fromarray(RAMP)))
    np.testing.assert_array_equal(image, np.stack([RAMP] * 3, axis=2))


def test_bilevel_is_black_and_white(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.png", Image.fromarray(RAMP > 100)))
    np.testing.assert_array_equal(image[..., 1], np.where(RAMP > 100, 255, 0))


@pytest.mark.parametrize(("mode", "pixel"), [("RGBA", (10, 20, 30)), ("LA", (10,))])
@pytest.mark.parametrize(("alpha", "share"), [(255, 1.0), (0, 0.0), (51, 0.2)])
def test_alpha_is_laid_over_white(tmp_path: Path, mode: str, pixel: tuple[int, ...], alpha: int, share: float) -> None:
    path = saved(tmp_path / "a.png", Image.new(mode, (2, 2), (*pixel, alpha)))
    rgb = pixel if len(pixel) == 3 else pixel * 3
    assert colour(path) == pytest.approx([255 + share * (value - 255) for value in rgb], abs=1)


def test_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    read = read_image(saved(tmp_path / "a.png", image, transparency=0))
    assert read.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_palette_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert read_image(saved(tmp_path / "a.png", image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3))
    assert colour(path) == [255, 255, 255]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    assert colour(path) == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_scaled_by_its_full_range(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    image = read_image(saved(tmp_path / name, Image.fromarray(values)))
    assert image[0, :, 0].tolist() == [0, 1, 128, 255]


def test_floats_in_0_1_keep_their_scale(tmp_path: Path) -> None:
    values = np.array([[0.25, 0.5]], dtype=np.float32)
    assert read_image(saved(tmp_path / "a.tif", Image.fromarray(values)))[0, :, 2].tolist() == [64, 128]


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_wider_ranges_are_stretched(tmp_path: Path, dtype: Any) -> None:
    values = np.array([[-100_000, 0, 100_000]], dtype=dtype)
    image = read_image(saved(tmp_path / "a.tif", Image.fromarray(values)))
    assert image[0, :, 0].tolist() == pytest.approx([0, 128, 255], abs=1)


def test_a_single_wide_value_becomes_black(tmp_path: Path) -> None:
    image = read_image(saved(tmp_path / "a.tif", Image.fromarray(np.full((2, 2), 7.5, dtype=np.float32))))
    assert image.max() == 0


def test_floats_that_are_no_numbers_become_black(tmp_path: Path) -> None:
    values = np.array([[np.nan, np.inf, 1.0]], dtype=np.float32)
    assert read_image(saved(tmp_path / "a.tif", Image.fromarray(values)))[0, :, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("name", ["a.webp", "a.bmp", "a.gif", "a.ppm"])
def test_other_formats(tmp_path: Path, name: str) -> None:
    assert colour(saved(tmp_path / name, Image.new("RGB", (8, 8), (255, 255, 255)))) == [255, 255, 255]


def test_exif_orientation_6_turns_clockwise(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", Image.fromarray(np.repeat(RAMP, 8, axis=1)), exif=exif, quality=100)
    plain = read_image(saved(tmp_path / "b.jpg", Image.fromarray(np.repeat(RAMP, 8, axis=1)), quality=100))
    assert read_image(path).shape == (64, 6, 3)
    np.testing.assert_array_equal(read_image(path), np.rot90(plain, k=-1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", Image.fromarray(RAMP), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\x99" * 40)
    assert read_image(path).shape == (6, 8, 3)


# --- pictures: what cannot be read is named in one line ---


def assert_named(path: Path, match: str, read: Any = read_image) -> None:
    with pytest.raises(WeaksegError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / name, Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert_named(path, "cannot be read")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert_named(tmp_path / "a.jpg", "empty file")


def test_text_named_jpg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    assert_named(tmp_path / "a.jpg", "no picture")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert_named(tmp_path / "a.jpg", "No such file")
    assert_named(tmp_path, "Is a directory")


def test_postscript_is_not_interpreted(tmp_path: Path) -> None:
    saved(tmp_path / "a.eps", Image.new("RGB", (4, 4)))
    assert_named(tmp_path / "a.eps", "no picture")


def test_absurd_size_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(png_of(header, b""))
    assert_named(tmp_path / "a.png", "pixels")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_never_escape(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = saved(tmp_path_factory.mktemp("flip") / "a.png", Image.fromarray(RAMP))
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert read_image(path).dtype == np.uint8
    except WeaksegError as error:
        assert str(path) in str(error)  # noqa: PT017


# --- masks ---


def png_of(header: bytes, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + end


@settings(max_examples=25, deadline=None)
@given(values=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_masks_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("masks") / "deep" / "a.png"
    write_mask(path, values, voc_palette())
    np.testing.assert_array_equal(read_mask(path), values)
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image.convert("RGB")), np.array(voc_palette())[values])


def test_masks_are_written_byte_for_byte_alike_and_leave_nothing_behind(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "a.png"):
        write_mask(tmp_path / name, RAMP, voc_palette())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_failed_write_keeps_the_old_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_mask(path, RAMP, voc_palette())
    before = path.read_bytes()

    def fail(self: Image.Image, file: Path, **_: Any) -> None:
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises((OSError, WeaksegError), match="No space left"):
        write_mask(path, RAMP * 0, voc_palette())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_grey_and_palette_masks_give_their_values(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "a.png", Image.fromarray(RAMP))), RAMP)
    image = Image.fromarray(RAMP)
    image.putpalette([0] * 768)
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "b.png", image)), RAMP)


def test_bilevel_masks_hold_0_and_1(tmp_path: Path) -> None:
    assert read_mask(saved(tmp_path / "a.png", Image.fromarray(RAMP > 100))).max() == 1


@pytest.mark.parametrize(("bits", "row", "values"), [(4, b"\x01\x2f", [0, 1, 2, 15]), (2, b"\x1b", [0, 1, 2, 3])])
def test_grey_of_few_bits_is_not_scaled(tmp_path: Path, bits: int, row: bytes, values: list[int]) -> None:
    (tmp_path / "a.png").write_bytes(png_of(struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0), b"\x00" + row))
    assert read_mask(tmp_path / "a.png").tolist() == [values]


def test_16_bit_masks_keep_small_values(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP.astype(np.uint16)))
    np.testing.assert_array_equal(read_mask(path), RAMP)


def test_masks_that_are_none(tmp_path: Path) -> None:
    assert_named(saved(tmp_path / "a.png", Image.new("RGB", (4, 4))), "RGB picture", read_mask)
    assert_named(saved(tmp_path / "b.png", Image.new("RGBA", (4, 4))), "RGBA picture", read_mask)
    assert_named(saved(tmp_path / "c.jpg", Image.new("L", (4, 4))), "JPEG", read_mask)
    assert_named(saved(tmp_path / "d.png", Image.new("I;16", (4, 4), 300)), "0 to 255", read_mask)
    assert_named(tmp_path / "e.png", "No such file", read_mask)


# --- colours and overlays ---


def test_voc_palette_is_that_of_the_devkit() -> None:
    palette = voc_palette()
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 12: (64, 0, 128), 15: (192, 128, 128)}
    assert {value: palette[value] for value in known} == known
    assert palette[20] == (0, 64, 128)
    assert palette[255] == (224, 224, 192)
    assert len(set(palette)) == 256


def test_overlay_blends_classes_washes_ignore_and_leaves_background() -> None:
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    drawn = overlay(image, np.array([[0, 1, 255]], dtype=np.uint8), voc_palette(), alpha=0.5)
    assert drawn.tolist() == [[[100, 100, 100], [114, 50, 50], [178, 178, 178]]]
    assert image.max() == 100
    np.testing.assert_array_equal(overlay(image, np.full((1, 3), 7, np.uint8), voc_palette(), alpha=0), image)


def test_overlay_refuses_another_size() -> None:
    with pytest.raises(WeaksegError, match="4x2 on a picture of 3x2"):
        overlay(np.zeros((2, 3, 3), np.uint8), np.zeros((2, 4), np.uint8), voc_palette())


def test_grey_and_colour_files(tmp_path: Path) -> None:
    write_gray(tmp_path / "new" / "a.png", RAMP)
    np.testing.assert_array_equal(read_mask(tmp_path / "new" / "a.png"), RAMP)
    image = np.stack([RAMP, RAMP[::-1], RAMP], axis=2)
    write_image(tmp_path / "b.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png"), image)
    write_image(tmp_path / "c.jpg", image)
    with Image.open(tmp_path / "c.jpg") as written:
        assert written.format == "JPEG"


def test_an_encoded_mask_is_the_file(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", RAMP, voc_palette())
    assert encode_mask(RAMP, voc_palette()) == (tmp_path / "a.png").read_bytes()


def test_a_picture_is_read_from_its_content_too(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((50, 40), 80).save(path)
    content = path.read_bytes()
    np.testing.assert_array_equal(read_image(Encoded("s3://a.png", content)), read_image(path))
    for wrong, said in ((content[:500], "cannot be read"), (b"hello", "no picture in a known format"), (b"", "empty")):
        with pytest.raises(WeaksegError, match=rf"^s3://b/a.png: {said}"):
            read_image(Encoded("s3://b/a.png", wrong))
    with pytest.raises(WeaksegError, match=r"^http://a.heic: .heic is not read; convert"):
        read_image(Encoded("http://a.heic", b"hello"))
