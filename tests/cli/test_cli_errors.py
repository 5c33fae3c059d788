"""Every mistake on the command line is one line and exit code 2, and harms nothing."""

import fcntl
import json
import shutil

import pytest
from PIL import Image
from torch._utils import ExceptionWrapper

import tiny
from weakseg.errors import WeaksegError


def contents(folder):
    """Every file of a run and its bytes, but for the log and the memory of which files are readable."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if path.name not in ("log.txt", ".lock", "inputs.train.json")}


@pytest.fixture
def photos(tmp_path):
    return tiny.write_photos(tmp_path / "photos")


@pytest.fixture
def fails(tmp_path, photos):
    """``fails(*overrides, recipe=..., data=...)``: the line of a run that must fail, and must write nothing."""

    def run(*overrides, recipe="affinitynet", data=None):
        ended = tiny.weakseg(*tiny.run_arguments(data or photos, tmp_path / "run", *overrides, recipe=recipe))
        assert not (tmp_path / "run").exists(), "a run that was refused leaves something"
        return tiny.error_line(ended)

    return run


@pytest.mark.parametrize(
    ("override", "named", "way_out"),
    [
        ("localize.treshold=0.3", "unknown key localize.treshold", "background"),
        ("colour=red", "unknown key colour", "classify, localize"),
        ("localize.background.threshold=1.5", "localize.background.threshold", "less than or equal to 1"),
        ("classify.train.lr=0", "classify.train.lr", "greater than 0"),
        ("classify.train.epochs=many", "classify.train.epochs", "integer"),
        ("classify.augment.crop=50", "classify.augment.crop", "multiple of 8"),
        ("classify.augment.long_side=[90,40]", "classify.augment", "low <= high"),
        ("backbone.output_stride=7", "unknown output_stride '7'", "8, 16, 32"),
        ("backbone.name=resnet5o", "unknown backbone 'resnet5o'", "resnet50"),
        ("backbone.weights=packaged", "test_resnet", "tf_efficientnet_lite0"),
        ("segment.backbone.weights=/none.pth", "/none.pth: no such weights file", "packaged, hub, none"),
        ("classify.method=cma", "unknown seed method 'cma'; available: ", "sipe"),
        ("classify.options={drop: 0.5}", "unknown key classify.options.drop", "root"),
        ("classify.options={dropout: 7}", "classify.options.dropout", "less than or equal to 1"),
        ("classify.options={frozen_levels: 99}", "frozen_levels", "0 to 5"),
        ("segment.network=deeplab", "unknown segmentation network 'deeplab'", "deeplabv3plus"),
        ("segment.backbone.output_stride=32", "output_stride", "8, 16"),
        ("refine.steps=[magic]", "refine.steps", "walk"),
        ("stages=[segment,classify]", "stages", "classify, localize, relate"),
        ("data.train=tarin", "'tarin'", "available: train, val"),
        ("hardware.accelerator=abacus", "hardware.accelerator", "cpu"),
        ("hardware.precision=7-true", "precision=7-true", "32-true"),
        (
            "relate.affinitynet.augment.crop=32",
            "relate.affinitynet: augment.crop",
            "at least 40 for stride 8 and radius 3",
        ),
        ("relate.method=irnet", "refine.steps has walk, which needs relate.method=affinitynet", "boundary_walk"),
        ("localize.background.rule=own", "localize.background.rule is own", "constant or power"),
        ("segment.train.batch_size=1", "segment.train.batch_size", "at least 2"),
        ("localize.scales=[0.0001]", "localize.scales", "0.1"),
        ("data.val=vall", "'vall'", "available: train, val"),
        ("just words", "'just words'", "key.path=value"),
    ],
)
def test_a_wrong_setting_is_named_with_the_way_out(fails, override, named, way_out):
    line = fails(override)
    assert named in line
    assert way_out in line


def test_unknown_recipes_and_overlays_are_listed(fails, tmp_path):
    line = fails(recipe="cma")
    assert "unknown recipe 'cma'; available: " in line
    assert all(name in line for name in ("affinitynet", "cam", "irnet", "supervised"))
    assert "none.yaml: no such recipe file" in fails(recipe="none.yaml")
    ended = tiny.weakseg("run", "cam", "--with", "tiny", "--data", "scenes:2", "--out", tmp_path / "run")
    assert "unknown overlay 'tiny'; available: coco14, demo, paper, small, voc12" in tiny.error_line(ended)


@pytest.mark.parametrize("text", ["a: [1,\nb: {", "- a list\n", "a: ${b}\n", "\0"])
def test_a_broken_recipe_file_is_named(fails, tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    assert "mine.yaml: " in fails(recipe=str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ("photos", "available: voc:PATH"),
        ("coco:/photos", "/photos: cannot be read (No such file"),
        ("voc:/no/photos", "/no/photos/JPEGImages: no such folder"),
        ("csv:/no/list.csv", "/no/list.csv: cannot be read"),
        ("folders:/no/photos", "/no/photos: no such folder"),
        ("scenes:few", "'few'"),
        ("scenes:4,sead=1", "'sead'; available: N, seed=S"),
    ],
)
def test_missing_data_are_named_by_every_command(fails, tmp_path, data, named):
    assert named in fails(data=data)
    assert named in tiny.error_line(tiny.weakseg("data", data))
    assert named in tiny.error_line(tiny.weakseg("evaluate", tmp_path, "--data", data))


def test_a_tag_that_no_class_has_is_named(fails, photos):
    (photos / "classes.txt").write_text("cat\ncow\n")
    line = fails()
    assert "tags.csv line 4: p2: no class 'dog'" in line
    assert "available: cat, cow" in line


def test_an_empty_split_is_named(fails, photos):
    (photos / "ImageSets" / "Segmentation" / "train.txt").write_text("\n")
    assert "split 'train' is empty" in fails()
    assert "val (3)" in fails()


def test_nothing_readable_is_an_error(fails, photos):
    for path in (photos / "JPEGImages").glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:200])
    line = fails()
    assert "no readable image" in line
    assert "p0.jpg" in line


def test_supervised_needs_masks(fails, photos):
    shutil.rmtree(photos / "SegmentationClassAug")
    assert "p0: no mask" in fails(recipe="supervised")


def test_bad_images_among_many_are_left_out_and_counted(tmp_path, photos):
    images = photos / "JPEGImages"
    (images / "p0.jpg").unlink()
    (images / "p1.jpg").write_bytes((images / "p1.jpg").read_bytes()[:400])
    (images / "p2.jpg").write_bytes(b"")
    (images / "v1.jpg").write_text("hello")
    arguments = tiny.run_arguments(photos, tmp_path / "run", recipe="cam")
    ended = tiny.weakseg(*arguments)
    assert ended.code == 0, ended.err
    for name in ("p0", "p1", "p2", "v1"):
        assert ended.err.count(str(images / name)) == 1
    assert "4 files missing or left out" in ended.out
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert len(manifest["left_out"]) == 4
    assert manifest["lists"]["train"]["images"] == 6
    assert not list((tmp_path / "run").rglob("p[012].*"))
    again = tiny.weakseg(*arguments)
    assert "4 files missing or left out" in again.out
    assert again.err.count("done before, unchanged") == 6


def test_bad_true_masks_are_left_out_of_the_scores_and_counted(tmp_path, photos):
    masks = photos / "SegmentationClassAug"
    Image.new("L", (5, 5)).save(masks / "p1.png")
    Image.new("RGB", (61, 61)).save(masks / "v1.png")
    (masks / "p2.png").unlink()
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run", recipe="cam"))
    assert ended.code == 0, ended.err
    assert "2 files missing or left out" in ended.out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["refine"]["images"] == 7
    assert metrics["refine"]["without_mask"] == 1
    (line,) = metrics["refine"]["left_out"]
    assert line.startswith("p1: ")
    assert "v1.png" in metrics["predict"]["left_out"][0]


def test_supervised_leaves_out_bad_masks(tmp_path, photos):
    masks = photos / "SegmentationClassAug"
    Image.new("L", (5, 5)).save(masks / "p1.png")
    (masks / "p2.png").unlink()
    ended = tiny.weakseg(*tiny.run_arguments(photos, tmp_path / "run", recipe="supervised"))
    assert ended.code == 0, ended.err
    assert "p1.png: 5x5, but" in ended.err
    assert "p2: no mask" in ended.err
    assert "2 files missing or left out" in ended.out


def test_an_unsuitable_out_is_refused_and_left_alone(tmp_path, photos):
    (tmp_path / "note.txt").write_text("mine")
    overlay = tiny.write_overlay(tmp_path)
    for out, reason in (
        (tmp_path / "note.txt", "is a file"),
        (photos, "no weakseg run"),
        (tmp_path / "note.txt" / "x", "cannot write there"),
    ):
        line = tiny.error_line(tiny.weakseg("run", "cam", "--with", overlay, "--data", f"voc:{photos}", "--out", out))
        assert str(out) in line
        assert reason in line
        assert "--out" in line
    assert (tmp_path / "note.txt").read_text() == "mine"
    assert not (photos / ".lock").exists()


def test_two_runs_do_not_write_into_one_directory(finished_run, tmp_path):
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = tiny.error_line(tiny.weakseg(*tiny.run_arguments(finished_run.photos, folder)))
    assert "another weakseg run" in line


@pytest.mark.parametrize(
    "override",
    [
        "localize.background.threshold=7",
        "segment.network=deeplab",
        "segment.backbone.weights=/none.pth",
        "classify.options={drop: 0.5}",
        "data.train=tarin",
    ],
)
def test_a_failed_command_leaves_a_finished_run_as_it_was(finished_run, tmp_path, override):
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    before = contents(folder)
    tiny.error_line(tiny.weakseg(*tiny.run_arguments(finished_run.photos, folder, override)))
    assert contents(folder) == before


def test_an_error_in_a_loading_process_is_one_line(monkeypatch):
    def in_worker(name):
        try:
            raise WeaksegError("/photos/p1.jpg: no picture in a known format")
        except WeaksegError:
            caught = ExceptionWrapper(where="in DataLoader worker process 0")
        caught.reraise()

    monkeypatch.setattr("weakseg.report.listing.written_recipe", in_worker)
    line = tiny.error_line(tiny.weakseg("recipes", "cam"))
    assert line == "weakseg: /photos/p1.jpg: no picture in a known format"


@pytest.mark.parametrize("name", ["manifest.json", "classify/stage.json", "inputs.train.json"])
def test_a_damaged_file_of_a_run_is_named(finished_run, tmp_path, name):
    folder = shutil.copytree(finished_run.folder, tmp_path / "run")
    (folder / name).write_text('{"key": ')
    assert str(folder / name) in tiny.error_line(tiny.weakseg(*tiny.run_arguments(finished_run.photos, folder)))


def test_a_damaged_training_state_is_named(finished_run, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    arguments = tiny.run_arguments(finished_run.photos, folder, "stages=[classify]")
    assert tiny.in_process(arguments, log, die_at=("classify/state.pt", 3)) < 0
    (folder / "classify" / "state.pt").write_bytes(b"half")
    assert "state.pt: broken training state; delete it" in tiny.error_line(tiny.weakseg(*arguments))
    (folder / "classify" / "state.pt").unlink()
    assert tiny.weakseg(*arguments).code == 0


@pytest.mark.parametrize("place", [0, None])
def test_debug_shows_the_traceback(tmp_path, place):
    arguments = ["run", "cma", "--data", "scenes:2", "--out", str(tmp_path / "run")]
    arguments.insert(len(arguments) if place is None else place, "--debug")
    assert tiny.in_process(arguments, tmp_path / "log") == 1
    text = (tmp_path / "log").read_text()
    assert "Traceback" in text
    assert "WeaksegError: unknown recipe 'cma'" in text


def test_an_error_of_the_system_is_one_line(monkeypatch):
    def denied(name):
        raise PermissionError(13, "Permission denied", "/secret")

    monkeypatch.setattr("weakseg.report.listing.written_recipe", denied)
    assert "/secret" in tiny.error_line(tiny.weakseg("recipes", "cam"))


@pytest.fixture
def stopped(monkeypatch):
    """``stopped(error, *arguments)``: a run that is stopped by an error when its work begins."""

    def run(error, *arguments):
        def work(*arguments, **options):
            raise error

        monkeypatch.setattr("weakseg.cli.planned.run_and_draw", work)
        return tiny.weakseg("run", "cam", "--data", "my photos", "--out", "run", *arguments)

    return run


def test_ctrl_c_says_how_to_go_on(stopped, monkeypatch):
    way = "weakseg: interrupted; what is done stays, go on with: weakseg run cam --data 'my photos' --out run"
    ended = stopped(KeyboardInterrupt())
    assert (ended.code, ended.err) == (130, f"{way}\n")
    # The same command would start afresh.
    ended = stopped(KeyboardInterrupt(), "--overwrite", "--quiet")
    assert (ended.code, ended.err) == (130, f"{way} --quiet\n")

    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("weakseg.report.listing.written_recipe", interrupted)
    assert tiny.weakseg("recipes", "cam") == tiny.Ended(130, "", "weakseg: interrupted\n")


def test_an_unexpected_error_is_code_1_with_its_traceback(stopped):
    ended = stopped(KeyError("lost"))
    assert ended.code == 1
    assert "Traceback" in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("weakseg: failed, KeyError: 'lost' (not your input: ")
    assert last.endswith("go on with: weakseg run cam --data 'my photos' --out run")


def test_a_wrong_option_is_code_2():
    ended = tiny.weakseg("run", "cam", "--data", "photos", "--out", "run", "--overwirte")
    assert ended.code == 2
    assert "--overwrite" in ended.err
