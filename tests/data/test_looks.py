from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weakseg.data.headers import bands_of_tiff, read_header
from weakseg.data.images import read_image
from weakseg.data.looks import common_levels, look_over
from weakseg.data.sample import Sample, Source
from weakseg.data.source import open_source
from weakseg.data.sources.csvfile import open_csv
from weakseg.errors import WeaksegError

Text = Callable[[Path, str], Path]
ORIENTATION = 0x0112
XRAY = np.random.default_rng(0).normal(1500, 400, (64, 64)).clip(0, 4095).astype(np.uint16)


def table(folder: Path, names: list[str], masks: list[str] | None = None) -> Source:
    rows = zip(names, masks or [""] * len(names), strict=True)
    content = "image,tags,mask\n" + "".join(f"{name},cat,{mask}\n" for name, mask in rows)
    (folder / "t.csv").write_text(content)
    return open_source(f"csv:{folder / 't.csv'}")


def train(source: Source) -> list[Sample]:
    return list(source.splits["train"])


# --- more than 8 bits ---


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_12_bits_in_16_use_all_of_8(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(XRAY).save(tmp_path / f"xray.{suffix}")
    source = table(tmp_path, [f"xray.{suffix}"])
    image = train(source)[0].read_image()
    assert len(np.unique(image)) > 200
    assert (image.min(), image.max()) == (0, 255)
    assert any(
        "1 photos are of more than 8 bits: " in line and "becomes black..white" in line for line in source.warnings
    )


def test_a_set_keeps_the_order_of_its_brightness(tmp_path: Path) -> None:
    names = [f"series{number}.png" for number in range(3)]
    for number, name in enumerate(names):
        Image.fromarray((XRAY * (1 + number) / 3).astype(np.uint16)).save(tmp_path / name)
    samples = train(table(tmp_path, names))
    assert len({sample.levels for sample in samples}) == 1
    means = [sample.read_image().mean() for sample in samples]
    assert means[0] + 20 < means[1] < means[2] - 20


def test_fractions_keep_0_to_1_and_broken_files_count_for_nothing(tmp_path: Path) -> None:
    fraction, wide, broken = (tmp_path / name for name in ("a.tif", "b.tif", "c.tif"))
    Image.fromarray(np.array([[0.25, 0.75]], dtype=np.float32)).save(fraction)
    Image.fromarray(np.array([[-10.0, 30.0]], dtype=np.float32)).save(wide)
    broken.write_bytes(b"II*\0")
    assert common_levels([fraction, broken]) is None
    assert common_levels([fraction, wide]) == (-10, 30)
    assert read_image(wide, (-10, 70))[0, :, 0].tolist() == [0, 128]
    assert read_image(wide, (0, 10))[0, :, 0].tolist() == [0, 255]


def test_8_bits_are_left_alone(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    source = table(tmp_path, ["a.png"])
    assert train(source)[0].levels is None
    assert source.warnings == ()


def test_16_bits_per_colour_are_told(tmp_path: Path) -> None:
    from skimage.io import imsave

    imsave(tmp_path / "a.tif", np.full((8, 8, 3), 40000, dtype=np.uint16), check_contrast=False)
    source = table(tmp_path, ["a.tif"])
    assert any("1 photos have 16 bits per colour, of which the upper 8 are read" in line for line in source.warnings)


# --- bands ---


def four_bands(path: Path, fourth: np.ndarray) -> Path:
    array = np.zeros((64, 64, 4), np.uint8)
    array[..., :3] = (70, 100, 60)
    array[..., 3] = fourth
    Image.fromarray(array).save(path)
    return path


def test_a_fourth_band_that_is_no_opacity(tmp_path: Path) -> None:
    infrared = np.where(np.arange(64) < 32, 230, 0)
    path = four_bands(tmp_path / "rgbn.tif", infrared)
    assert np.unique(read_image(path).reshape(-1, 3), axis=0).tolist() == [[70, 100, 60]]
    assert any(
        "1 photos have a fourth band that is no opacity" in line for line in table(tmp_path, [path.name]).warnings
    )


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_real_alpha_channel_still_composes(tmp_path: Path, name: str) -> None:
    image = read_image(four_bands(tmp_path / name, np.where(np.arange(64) < 32, 255, 0)))
    assert image[0, 0].tolist() == [70, 100, 60]
    assert image[0, -1].tolist() == [255, 255, 255]
    assert table(tmp_path, [name]).warnings == ()


def test_half_transparent_png_is_alpha_whatever_it_holds(tmp_path: Path) -> None:
    assert read_image(four_bands(tmp_path / "a.png", np.full((64, 64), 51)))[0, 0].tolist() == [218, 224, 216]


@pytest.mark.parametrize(
    ("bands", "dtype", "words"),
    [(5, np.uint8, "5 bands of 8 bits, unsigned"), (3, np.float32, "3 bands of 32 bits, floating point")],
)
def test_what_is_not_read_names_its_bands_and_bits(tmp_path: Path, bands: int, dtype: type, words: str) -> None:
    import tifffile

    path = tmp_path / "a.tif"
    photometric = "rgb" if bands == 3 else "minisblack"
    tifffile.imwrite(path, np.zeros((8, 8, bands), dtype), photometric=photometric, planarconfig="contig")
    assert bands_of_tiff(path) == words
    with pytest.raises(WeaksegError, match=f"a.tif: {words}: not read; save 3 bands of 8 bits"):
        read_image(path)


def test_other_files_have_no_bands(tmp_path: Path) -> None:
    for content in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x01junk", b"text"):
        (tmp_path / "a.tif").write_bytes(content)
        assert bands_of_tiff(tmp_path / "a.tif") in (None, "1 bands of 1 bits, unsigned")


def test_photos_of_telephones_are_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(WeaksegError, match=r"a.heic: .heic is not read; convert it to JPEG or PNG"):
        read_image(tmp_path / "a.heic")


# --- EXIF ---


def turned(folder: Path, orientation: int, size: tuple[int, int], mask_size: tuple[int, int]) -> Source:
    """A photo whose red corner is drawn in its mask, both as stored."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for name, mode, fill, where in (("a.png", "RGB", (255, 0, 0), size), ("m.png", "L", 1, mask_size)):
        image = Image.new(mode, where)
        image.paste(fill, (0, 0, 2, 2))
        image.save(folder / name, exif=exif) if name == "a.png" else image.save(folder / name)
    return table(folder, ["a.png"], ["m.png"])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_as_stored_are_turned_like_their_photos(tmp_path: Path, orientation: int) -> None:
    source = turned(tmp_path, orientation, (16, 8), (16, 8))
    sample = train(source)[0]
    assert sample.read_image().shape[:2] == sample.read_mask().shape == (16, 8)
    np.testing.assert_array_equal(sample.read_image()[..., 0] == 255, sample.read_mask() == 1)
    assert any("1 masks lie as their photos are stored" in line for line in source.warnings)


def test_masks_of_the_upright_photo_stay(tmp_path: Path) -> None:
    source = turned(tmp_path, 6, (16, 8), (8, 16))
    assert train(source)[0].read_mask()[0, 0] == 1
    assert len(source.warnings) == 1  # that mask values are guessed


@pytest.mark.parametrize(("orientation", "size"), [(2, (16, 8)), (3, (16, 8)), (4, (16, 8)), (6, (8, 8))])
def test_what_sizes_cannot_show_is_told(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    source = turned(tmp_path, orientation, size, size)
    assert train(source)[0].read_mask()[0, 0] == 1
    assert any("turned or mirrored by EXIF in a way that sizes cannot show" in line for line in source.warnings)


def test_headers_of_broken_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no png")
    assert read_header(tmp_path / "a.png") is None
    assert read_header(tmp_path / "missing.png") is None


def test_composed_pictures_are_left_alone() -> None:
    source = open_source("scenes:4")
    assert look_over(source) is source


def test_opening_a_table_alone_does_not_look(tmp_path: Path, text: Text) -> None:
    Image.fromarray(XRAY).save(tmp_path / "a.png")
    assert open_csv(text(tmp_path / "t.csv", "image,tags\na.png,cat\n")).splits["train"][0].levels is None
