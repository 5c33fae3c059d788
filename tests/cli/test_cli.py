"""What the commands print."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tiny
from weakseg import __version__
from weakseg.recipes.loading import load_recipe


@pytest.fixture
def photos(tmp_path):
    return tiny.write_photos(tmp_path / "photos")


def test_version_and_help():
    assert tiny.weakseg("--version") == tiny.Ended(0, f"weakseg {__version__}\n", "")
    text = tiny.weakseg("--help").out
    assert all(command in text for command in ("run", "demo", "data", "recipes", "evaluate", "predict", "--debug"))


def test_data_lists_images_tags_splits_and_broken_files(photos):
    path = photos / "JPEGImages" / "p1.jpg"
    path.write_bytes(path.read_bytes()[:400])
    ended = tiny.weakseg("data", f"voc:{photos}")
    assert ended.code == 0
    assert "12 images, 3 classes" in " ".join(ended.out.split())
    for row in (["tag", "mask value", "train (9)"], ["cat", "8", "3", "1"], ["cow", "10", "4", "1"], ["dog", "4", "2"]):
        assert any(all(cell in line for cell in row) for line in ended.out.splitlines()), row
    assert any("mean tags per image" in line and "1.22 │    1.33" in line for line in ended.out.splitlines())
    assert "1 files missing or broken" in ended.out
    assert str(path) in ended.out.replace("\n", "")


def test_data_refuses_masks_that_score_nothing_and_evaluate_too(photos):
    for path in (photos / "SegmentationClassAug").iterdir():
        values = np.array(Image.open(path))
        Image.fromarray(np.where((values > 0) & (values < 255), values + 20, values)).save(path)
    ended = tiny.weakseg("data", photos)
    assert "none holds a pixel of 'cat' (value 8), 'cow' (value 10), 'dog' (value 12)" in tiny.error_line(ended)
    assert "images with a mask" in ended.out
    masks = photos / "SegmentationClassAug"
    assert "value 32 of no class is in 2" in tiny.error_line(tiny.weakseg("evaluate", masks, "--data", photos))


def test_data_points_out_slips(photos):
    table = photos / "tags.csv"
    table.write_text(table.read_text().replace("p1,cow", "p1,cwo"))
    ended = tiny.weakseg("data", f"voc:{photos}")
    assert "classes 'cwo' and 'cow' are one letter apart (1 and 3 photos)" in ended.out
    assert "class 'cwo' is on one photo only (p1)" in ended.out


@pytest.mark.parametrize("arguments", [["--help"], ["data", "PHOTOS"], ["data", "nothere.csv"]])
def test_what_must_answer_at_once_loads_no_torch(photos, arguments):
    arguments = [str(photos) if argument == "PHOTOS" else argument for argument in arguments]
    code = (
        "import sys; from weakseg.cli.app import main; sys.argv = ['weakseg', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines()[-1] == "False"


def test_data_without_a_scheme_shows_the_forms():
    assert "scenes:N,seed=S" in tiny.error_line(tiny.weakseg("data", "animals"))


def test_recipes_are_listed_and_printed():
    listed = tiny.weakseg("recipes").out
    for name in ("affinitynet", "cam", "supervised", "small"):
        assert name in listed
    assert "upper bound" in listed
    printed = tiny.weakseg("recipes", "supervised").out
    assert "targets: truth" in printed
    assert "# the only recipe that opens training masks" in printed
    line = tiny.error_line(tiny.weakseg("recipes", "cma"))
    assert "unknown recipe or overlay 'cma'; available: " in line
    assert all(name in line for name in ("affinitynet", "cam", "irnet", "supervised", "small"))


def test_evaluate_scores_a_folder_of_masks(tmp_path, photos):
    perfect = tmp_path / "masks"
    shutil.copytree(photos / "SegmentationClassAug", perfect)
    ended = tiny.weakseg("evaluate", perfect, "--data", f"voc:{photos}")
    assert ended.code == 0, ended.err
    assert "3 images" in ended.out.replace("\n", "")
    for name in ("background", "cat", "cow", "dog", "mean over classes present", "mean over all classes"):
        assert any(name in line and "100.0" in line for line in ended.out.splitlines()), name
    values = np.array(Image.open(perfect / "v0.png"))
    Image.fromarray(np.where(values == 255, values, 0).astype(np.uint8)).save(perfect / "v0.png")
    text = tiny.weakseg("evaluate", perfect, "--data", f"voc:{photos}").out
    assert any("cat" in line and " 0.0" in line for line in text.splitlines())
    assert any("mean over all classes" in line and "100.0" not in line for line in text.splitlines())


def test_evaluate_counts_an_absent_class_in_the_second_mean_only(tmp_path, photos):
    (photos / "ImageSets" / "Segmentation" / "val.txt").write_text("v0\n")
    text = tiny.weakseg("evaluate", photos / "SegmentationClassAug", "--data", f"voc:{photos}").out
    means = {
        line.split("│")[1].strip(): line.split("│")[2].strip() for line in text.splitlines() if "mean over" in line
    }
    assert means == {
        "mean over classes present": "100.0",
        "mean over classes that are true or predicted": "100.0",
        "mean over all classes": "50.0",
    }


def test_evaluate_reports_what_it_cannot_score(tmp_path, photos):
    masks = shutil.copytree(photos / "SegmentationClassAug", tmp_path / "masks")
    (masks / "v0.png").unlink()
    Image.new("L", (3, 3)).save(masks / "v1.png")
    ended = tiny.weakseg("evaluate", masks, "--data", f"voc:{photos}", "--split", "val")
    assert ended.code == 0, ended.err
    text = ended.out.replace("\n", "")
    assert "v0.png: cannot be read" in text
    assert "left out: v1: " in text
    assert "1 images" in text
    (tmp_path / "empty").mkdir()
    line = tiny.error_line(tiny.weakseg("evaluate", tmp_path / "empty", "--data", f"voc:{photos}"))
    assert "nothing could be scored" in line
    assert "no such folder" in tiny.error_line(tiny.weakseg("evaluate", tmp_path / "none", "--data", f"voc:{photos}"))
    assert "available: train, val" in tiny.error_line(
        tiny.weakseg("evaluate", masks, "--data", f"voc:{photos}", "--split", "test")
    )


def test_the_installed_command_is_this_one():
    from importlib.metadata import entry_points

    (point,) = [point for point in entry_points(group="console_scripts") if point.name == "weakseg"]
    assert point.load() is sys.modules["weakseg.cli.app"].main


def test_every_setting_is_printed_as_run_takes_it():
    ended = tiny.weakseg("recipes", "sipe", "--settings", "--with", "small", "seed=4")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    settings = [line for line in lines if line and not line.startswith(" ")]
    assert "seed=4" in settings
    assert "classify.options.infer_structure=hierarchical" in settings
    assert lines[lines.index("localize.stride=4") + 1].startswith("    Pixels of the photo per pixel of the maps")
    keep = [line for line in settings if not line.startswith(("name=", "description=", "chosen_with_masks="))]
    assert load_recipe("sipe", ["small"], keep) == load_recipe("sipe", ["small"], ["seed=4"])
