import shutil

import pytest

from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.run import Run, digest, open_folder


@pytest.fixture
def run(tmp_path):
    """A run whose refine stage is done, with one output and the key "first"."""
    run = Run(tmp_path / "run")
    run.begin("refine", "first")
    (run.stage_folder("refine") / "mask.png").write_bytes(b"mask")
    run.finish("refine", 1.234, 0.567, 89, {"images": 1})
    return run


def test_a_stage_is_done_for_its_key_only(run):
    assert run.is_done("refine", "first")
    assert not run.is_done("refine", "second")
    assert not run.is_done("segment", "first")
    record = run.record("refine")
    assert (record["seconds"], record["cpu_seconds"], record["sessions"]) == (1.23, 0.57, 1)
    assert record["summary"] == {"images": 1}


def test_beginning_again_keeps_what_has_the_same_key(run):
    run.begin("refine", "first")
    assert not run.is_done("refine", "first")
    assert run.record("refine")["sessions"] == 2
    assert (run.stage_folder("refine") / "mask.png").exists()
    run.begin("refine", "second")
    assert run.record("refine")["sessions"] == 1
    assert not (run.stage_folder("refine") / "mask.png").exists()


def test_a_stage_whose_outputs_are_half_removed_is_not_done(run, monkeypatch):
    def killed(folder, **options):
        (folder / "mask.png").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        run.begin("refine", "second")
    assert not run.is_done("refine", "first")


def test_one_process_at_a_time(run):
    with run.locked(), pytest.raises(WeaksegError, match=r"another weakseg run.*--out"), Run(run.folder).locked():
        pass
    with run.locked():
        pass


def fail_in(run, line):
    with run.locked():
        for name in ("log.txt", "inputs.train.json"):
            (run.folder / name).write_text("{}")
        raise WeaksegError(line)


@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_is_refused_before_it_begins_leaves_nothing(tmp_path, there):
    folder = tmp_path / "runs" / "deep" / "new"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(WeaksegError, match="refused"):
        fail_in(Run(folder), "refused")
    assert list(tmp_path.rglob("*")) == ([folder.parents[1], folder.parent, folder] if there else [])


def test_a_run_that_fails_after_it_has_begun_stays(run):
    (run.folder / "recipe.yaml").write_text("name: tiny")
    with pytest.raises(WeaksegError, match="disk"):
        fail_in(run, "the disk is full")
    assert {"log.txt", "recipe.yaml", "refine"} <= {path.name for path in run.folder.iterdir()}


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WeaksegError, match="no weakseg run"):
        open_folder(tmp_path)
    with pytest.raises(WeaksegError, match="is a file"):
        open_folder(tmp_path / "thesis.tex")
    assert open_folder(tmp_path / "new").folder == tmp_path / "new"


def test_tidying_removes_leftovers_and_nothing_else(run):
    keep = {path.name for path in run.stage_folder("refine").iterdir()}
    (run.stage_folder("refine") / ".mask.png.abc.tmp").touch()
    (run.stage_folder("refine") / "state.pt").touch()
    run.tidy(["refine"])
    assert {path.name for path in run.stage_folder("refine").iterdir()} == keep


def test_a_digest_depends_on_content_not_on_order_of_keys():
    assert digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
