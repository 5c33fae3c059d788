"""Runs that are killed, started again, and changed."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

import tiny
from weakseg.pipeline.rundir.run import Run

STAGES = ("classify", "localize", "relate", "refine", "segment", "predict", "evaluate")

MOMENTS = [
    ("classify/state.pt", 1),
    ("classify/state.pt", 3),
    ("classify/weights.safetensors", 1),
    ("classify/stage.json", 2),
    ("localize/maps/", 5),
    ("relate/seeds_high/", 4),
    ("relate/state.pt", 4),
    ("refine/masks/", 5),
    ("segment/state.pt", 2),
    ("predict/masks/", 2),
    ("metrics.json", 1),
    ("evaluate/stage.json", 2),
    ("manifest.json", 2),
]
"""Just before which file comes into its place the process is killed, one after the other in one run."""


def outputs(folder):
    """Every result of a run: bytes by name. What tells of time and sessions is left out."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    named = {str(path.relative_to(folder)): path for path in files}
    timed = ("manifest.json", "stage.json", "metrics.jsonl", "log.txt", ".lock", "recipe.yaml")
    timed += ("outputs.json", "inputs.files.json", "photos.json", "report.html")  # times, and paths of the photos
    return {name: path.read_bytes() for name, path in named.items() if not name.endswith(timed)}


def stamps(folder):
    """When each stage's files, and what they are made from, were written last."""
    return {
        stage: {str(path): path.stat().st_mtime_ns for path in sorted((folder / stage).rglob("*"))} for stage in STAGES
    }


def redone(before, after):
    return tuple(stage for stage in STAGES if before[stage] != after[stage])


@pytest.fixture
def copy(tmp_path, finished_run):
    """A copy of the finished run to go on from, with its own data; ``again(*overrides)`` gives the arguments."""

    class Copy:
        photos = shutil.copytree(finished_run.photos, tmp_path / "photos")
        folder = tmp_path / "run"

        def again(self, *overrides):
            return tiny.run_arguments(self.photos, self.folder, *overrides)

        def rerun(self, *overrides):
            """Run again; return the stages that were done anew."""
            before = stamps(self.folder)
            ended = tiny.weakseg(*self.again(*overrides))
            assert ended.code == 0, ended.err
            return redone(before, stamps(self.folder))

    shutil.copytree(finished_run.folder, tmp_path / "run")
    return Copy()


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_as_if_it_never_was(tmp_path, finished_run):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = tiny.run_arguments(finished_run.photos, folder)
    for moment in MOMENTS:
        assert tiny.in_process(arguments, log, die_at=moment) == -signal.SIGKILL, (moment, log.read_text())
    assert tiny.in_process(arguments, log) == 0, log.read_text()
    assert outputs(folder) == outputs(finished_run.folder)
    rows, whole = (
        [{key: value for key, value in row.items() if key != "images_per_second"} for row in Run(path).log.rows()]
        for path in (folder, finished_run.folder)
    )
    assert [(row["stage"], row["step"], row["lr"]) for row in rows] == [
        (row["stage"], row["step"], row["lr"]) for row in whole
    ]
    assert Run(folder).record("classify")["sessions"] == 5
    assert "(resumed)" in log.read_text()


@pytest.mark.slow
def test_kill_9_of_the_command_from_outside(tmp_path, finished_run):
    folder = tmp_path / "run"
    arguments = tiny.run_arguments(finished_run.photos, folder)
    command = [sys.executable, "-c", "from weakseg.cli.app import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        patience = time.monotonic() + 60
        while not (folder / "classify" / "state.pt").exists() and time.monotonic() < patience:
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert not Run(folder).record("evaluate")
    assert tiny.in_process(arguments, tmp_path / "log.txt") == 0
    assert (folder / "metrics.json").read_bytes() == (finished_run.folder / "metrics.json").read_bytes()


def test_a_finished_run_is_left_as_it_is(copy):
    before = outputs(copy.folder)
    assert copy.rerun() == ()
    assert outputs(copy.folder) == before
    ended = tiny.weakseg(*copy.again())
    assert ended.err.count("done before, unchanged") == len(STAGES)


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("hardware.checkpoint_seconds=9", None),
        ("localize.background.threshold=0.4", "evaluate"),
        ("predict.flip=true", "predict"),
        ("segment.train.lr=0.02", "segment"),
        ("relate.affinitynet.alpha_low=3", "relate"),
        ("localize.flip=false", "localize"),
        ("seed=7", "classify"),
    ],
)
def test_a_changed_setting_redoes_its_stage_and_what_follows(copy, override, first):
    assert copy.rerun(override) == (() if first is None else STAGES[STAGES.index(first) :])


def test_a_changed_refinement_and_back_gives_the_first_result(copy, finished_run):
    assert copy.rerun("refine.background.alpha=2") == ("refine", "segment", "predict", "evaluate")
    assert outputs(copy.folder) != outputs(finished_run.folder)
    assert copy.rerun() == ("refine", "segment", "predict", "evaluate")
    assert outputs(copy.folder) == outputs(finished_run.folder)


def test_another_validation_list_redoes_predict_and_evaluate(copy):
    (copy.photos / "ImageSets" / "Segmentation" / "val.txt").write_text("v0\nv1\n")
    assert copy.rerun() == ("predict", "evaluate")
    assert {path.name for path in (copy.folder / "predict" / "masks").iterdir()} == {"v0.png", "v1.png"}


def test_a_photo_less_redoes_everything_and_leaves_nothing_of_it(copy):
    (copy.photos / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(list(tiny.TRAIN)[1:]))
    assert copy.rerun() == STAGES
    assert not list(copy.folder.rglob("p0.*"))


def test_another_tag_redoes_everything(copy):
    tags = copy.photos / "tags.csv"
    tags.write_text(tags.read_text().replace("p3,\n", "p3,dog\n"))
    assert copy.rerun("stages=[classify, localize, evaluate]") == ("classify", "localize", "evaluate")


def test_another_true_mask_redoes_the_scores_only(copy):
    path = copy.photos / "SegmentationClassAug" / "p0.png"
    path.write_bytes((copy.photos / "SegmentationClassAug" / "deep.name.png").read_bytes())
    assert copy.rerun() == ("evaluate",)


def test_a_full_disk_is_one_line_and_the_run_goes_on_after_it(tmp_path, finished_run):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = tiny.run_arguments(finished_run.photos, folder)
    assert tiny.in_process(arguments, log, limit=100_000) == 2, log.read_text()
    *_, line = log.read_text().splitlines()
    assert line.startswith(f"weakseg: {folder / 'classify'}")
    assert "cannot be written" in line
    assert "Traceback" not in log.read_text()
    assert tiny.in_process(arguments, log) == 0, log.read_text()
    assert outputs(folder) == outputs(finished_run.folder)
