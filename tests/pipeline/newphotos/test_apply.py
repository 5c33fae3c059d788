"""`weakseg predict`: masks for photos of any mode and size."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import tiny
from weakseg.data.images import read_mask
from weakseg.pipeline.newphotos.photos import given_photos

SIZE = (40, 30)


def gradient(mode, size=SIZE):
    rows = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0])
    return Image.fromarray(rows.astype(np.uint8)).convert(mode)


def write_rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient("RGB").save(path, exif=exif)


def write_16_bit(path):
    Image.fromarray(np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)).save(path)


PHOTOS = {
    "grey.png": lambda path: gradient("L").save(path),
    "grey.jpg": lambda path: gradient("L").save(path),
    "black and white.png": lambda path: gradient("1").save(path),
    "transparent.png": lambda path: gradient("RGBA").save(path),
    "palette.png": lambda path: gradient("P").save(path),
    "moving.gif": lambda path: gradient("P").save(path, save_all=True, append_images=[gradient("P")]),
    "print.jpg": lambda path: gradient("CMYK").save(path),
    "deep.png": write_16_bit,
    "deep.tif": write_16_bit,
    "rotated.jpg": write_rotated,
    "dot.png": lambda path: gradient("RGB", (1, 1)).save(path),
    "line.png": lambda path: gradient("RGB", (1, 50)).save(path),
    "wide.png": lambda path: gradient("RGB", (2000, 30)).save(path),
    "tall.webp": lambda path: gradient("RGB", (30, 900)).save(path),
    "ünïcödé 猫.png": lambda path: gradient("RGB").save(path),
}
UPRIGHT = {
    "rotated.jpg": (30, 40),
    "dot.png": (1, 1),
    "line.png": (1, 50),
    "wide.png": (2000, 30),
    "tall.webp": (30, 900),
}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory, finished_run):
    """All odd photos in one call: the folder of photos and that of the results."""
    root = tmp_path_factory.mktemp("predict")
    (root / "in").mkdir()
    for name, write in PHOTOS.items():
        write(root / "in" / name)
    ended = tiny.weakseg("predict", finished_run.folder, root / "in", "--out", root / "out")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{len(PHOTOS)} masks in {root / 'out' / 'masks'}")
    return root


def result_name(name):
    """Two photos of one name get different masks: the second has its suffix in the name."""
    return {"grey.png": "grey-png", "deep.tif": "deep-tif"}.get(name, name.rpartition(".")[0])


@pytest.mark.parametrize("name", PHOTOS)
def test_a_mask_has_the_size_of_the_upright_photo(predicted, name):
    width, height = UPRIGHT.get(name, SIZE)
    mask = read_mask(predicted / "out" / "masks" / f"{result_name(name)}.png")
    assert mask.shape == (height, width)
    assert set(np.unique(mask)) <= {0, *tiny.CLASSES.values()}
    with Image.open(predicted / "out" / "overlays" / f"{result_name(name)}.png") as overlay:
        assert (overlay.mode, overlay.size) == ("RGB", (width, height))


def test_masks_are_palette_pngs(predicted):
    with Image.open(predicted / "out" / "masks" / "wide.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[3 * 8 : 3 * 8 + 3] == [64, 0, 0]
    assert len(list((predicted / "out").rglob("*"))) == 2 * len(PHOTOS) + 4


def test_a_photo_of_the_run_gets_the_mask_of_the_run(finished_run, tmp_path):
    photo = finished_run.photos / "JPEGImages" / "v0.jpg"
    assert tiny.weakseg("predict", finished_run.folder, photo, "--out", tmp_path).code == 0
    ours, theirs = tmp_path / "masks" / "v0.png", finished_run.folder / "predict" / "masks" / "v0.png"
    assert ours.read_bytes() == theirs.read_bytes()


def test_unreadable_photos_are_left_out_and_counted(finished_run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.jpg").write_text("hello")
    (tmp_path / "in" / "notes.txt").write_text("no photo at all")
    gradient("RGB").save(tmp_path / "in" / "good.jpg")
    ended = tiny.weakseg("predict", finished_run.folder, tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 0
    assert ended.err == f"left out: {tmp_path / 'in' / 'bad.jpg'}: no picture in a known format\n"
    assert ended.out.startswith("1 mask in")
    assert "1 left out" in ended.out
    assert [path.name for path in (tmp_path / "out" / "masks").iterdir()] == ["good.png"]


def test_mistakes_are_one_line(finished_run, tmp_path):
    photo = tmp_path / "photo.png"
    gradient("RGB").save(photo)
    (tmp_path / "bad.jpg").write_text("hello")
    (tmp_path / "empty").mkdir()
    run = finished_run.folder
    for arguments, named in (
        ((tmp_path / "none", photo), "no weakseg run"),
        ((run, tmp_path / "none.jpg"), "none.jpg: no such file or folder"),
        ((run, tmp_path / "empty"), "empty: no images there"),
        ((run, tmp_path / "bad.jpg"), "bad.jpg: no picture in a known format"),
    ):
        ended = tiny.weakseg("predict", *arguments, "--out", tmp_path / "out")
        assert ended.code == 2
        assert ended.err.splitlines()[-1].startswith("weakseg: ")
        assert named in ended.err.splitlines()[-1]
    ended = tiny.weakseg("predict", run, photo, "--out", tmp_path / "bad.jpg")
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert (tmp_path / "bad.jpg").read_text() == "hello"


def test_a_run_without_a_segmentation_network_says_so(tmp_path, finished_run):
    arguments = tiny.run_arguments(finished_run.photos, tmp_path / "run", "stages=[classify]")
    assert tiny.weakseg(*arguments).code == 0
    photo = finished_run.photos / "JPEGImages" / "v0.jpg"
    ended = tiny.weakseg("predict", tmp_path / "run", photo, "--out", tmp_path / "out")
    assert ended.code == 2
    assert "no trained segmentation network" in ended.err


def test_folders_are_searched_and_files_taken_as_they_are(tmp_path):
    for name in ("a/b/two.JPG", "a/one.png", "a/.hidden.png", "a/notes.txt", "three.dat"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = given_photos([tmp_path / "three.dat", tmp_path / "a"])
    assert [str(photo.image.relative_to(tmp_path)) for photo in found] == ["three.dat", "a/b/two.JPG", "a/one.png"]
    assert [photo.id for photo in found] == ["three", "b/two", "one"]


def test_deep_photos_are_read_as_those_that_the_network_learnt_from(tmp_path, finished_run):
    run, photo = tmp_path / "run", tmp_path / "xray.png"
    shutil.copytree(finished_run.folder, run)
    Image.fromarray(np.linspace(0, 4095, 1200).astype(np.uint16).reshape(30, 40)).save(photo)
    brightness = []
    for levels in (None, [0, 4095]):
        manifest = json.loads((run / "manifest.json").read_text())
        (run / "manifest.json").write_text(json.dumps(manifest | {"levels": levels}))
        ended = tiny.weakseg("predict", run, photo, "--out", tmp_path / "out", "--overwrite")
        assert ended.code == 0, ended.err
        brightness.append(np.asarray(Image.open(tmp_path / "out" / "overlays" / "xray.png")).max())
    assert brightness[0] < 64 < 200 < brightness[1]
