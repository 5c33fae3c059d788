import errno
import os
import shutil

import pytest

import tiny
from weakseg.data.source import open_source
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.loading import load_recipe
from weakseg.studies import reuse
from weakseg.studies.reuse import expected_keys, take_inputs, take_stages

REUSABLE = ["classify", "localize", "relate", "refine", "segment", "predict"]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def outputs(folder, stages):
    """What stages have written, without their records."""
    found = contents(folder)
    named = {str(path.relative_to(folder)): data for path, data in found.items() if path.name != "stage.json"}
    return {name: data for name, data in named.items() if name.split("/")[0] in stages}


@pytest.fixture(scope="module")
def keys(finished_run):
    recipe = Run(finished_run.folder).read_recipe()
    return expected_keys(recipe, open_source(f"voc:{finished_run.photos}"), Run(finished_run.folder))


def test_the_keys_are_those_that_a_run_writes(finished_run, keys):
    assert {stage: Run(finished_run.folder).record(stage)["key"] for stage in keys} == keys


def test_a_finished_run_is_known_by_its_keys(finished_run, keys, tmp_path):
    run = Run(finished_run.folder)
    assert run.is_finished(keys)
    assert not run.is_finished({**keys, "refine": "other"})
    assert not run.is_finished({stage: key for stage, key in keys.items() if stage != "segment"})
    assert not Run(tmp_path / "none").is_finished(keys)


def test_stages_with_the_same_key_are_taken_over_by_links(finished_run, keys, tmp_path):
    first, run = Run(finished_run.folder), Run(tmp_path / "run")
    taken = take_stages(run, {**keys, "predict": "other"}, [Run(tmp_path / "none"), first])
    assert taken == REUSABLE[:-1]
    assert outputs(run.folder, taken) == outputs(first.folder, taken)
    weights = run.folder / "classify" / "weights.safetensors"
    assert weights.samefile(first.folder / "classify" / "weights.safetensors")
    record = run.record("classify")
    assert run.is_done("classify", keys["classify"])
    assert record["reused_from"] == str(first.folder)
    assert record["seconds"] == first.record("classify")["seconds"]
    assert record["peak_memory_mib"] == first.record("classify")["peak_memory_mib"]
    assert "reused_from" not in first.record("classify")
    logged = [row for row in first.log.rows() if row["stage"] in taken]
    assert run.log.rows() == logged
    # What was taken over names the run that computed it, also at third hand.
    second = Run(tmp_path / "second")
    take_stages(second, keys, [run])
    assert second.record("relate") == record | {
        **run.record("relate"),
        "reused_from": str(first.folder),
    }


def test_the_run_goes_on_from_what_it_took_over(finished_run, keys, tmp_path):
    recipe = Run(finished_run.folder).read_recipe()
    run = Run(tmp_path / "run")
    take_stages(run, keys, [Run(finished_run.folder)])
    execute(recipe, f"voc:{finished_run.photos}", run.folder)
    assert run.read_manifest()["metrics"] == Run(finished_run.folder).read_manifest()["metrics"]
    assert [stage for stage in keys if "reused_from" in run.record(stage)] == REUSABLE


def test_a_run_changes_no_file_of_another_one(finished_run, keys, tmp_path):
    """All stages are taken over and then done anew with other settings, over the links."""
    first = shutil.copytree(finished_run.folder, tmp_path / "first", symlinks=True)
    before, run = contents(first), Run(tmp_path / "run")
    assert take_stages(run, keys, [Run(first)]) == REUSABLE
    linked = [path for path in run.folder.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert len(linked) == len(outputs(first, REUSABLE))
    epochs = [f"{stage}.train.epochs=1" for stage in ("classify", "relate.affinitynet", "segment")]
    recipe = load_recipe("affinitynet", [str(tiny.write_overlay(tmp_path))], ["seed=1", *epochs])
    execute(recipe, f"voc:{finished_run.photos}", run.folder)
    assert contents(first) == before
    assert not any(path.stat().st_nlink > 1 for path in run.folder.rglob("*") if path.is_file())


def test_a_run_may_be_deleted(finished_run, keys, tmp_path):
    first = shutil.copytree(finished_run.folder, tmp_path / "first")
    run = Run(tmp_path / "run")
    expected = outputs(first, REUSABLE)
    take_stages(run, keys, [Run(first)])
    shutil.rmtree(first)
    assert outputs(run.folder, REUSABLE) == expected


def test_without_links_files_are_copied(finished_run, keys, tmp_path, monkeypatch):
    def refused(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    run = Run(tmp_path / "run")
    assert take_stages(run, keys, [Run(finished_run.folder)]) == REUSABLE
    assert outputs(run.folder, REUSABLE) == outputs(finished_run.folder, REUSABLE)
    assert (run.folder / "classify" / "weights.safetensors").stat().st_nlink == 1


def test_what_was_taken_over_in_part_counts_as_nothing(finished_run, keys, tmp_path, monkeypatch):
    run, left = Run(tmp_path / "run"), [7]

    def killed(source, target):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        shutil.copyfile(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(reuse, "_link", killed)
        with pytest.raises(KeyboardInterrupt):
            take_stages(run, keys, [Run(finished_run.folder)])
    assert run.is_done("classify", keys["classify"])
    assert list((run.folder / "localize").rglob("*.safetensors"))
    assert run.record("localize") == {}
    assert take_stages(run, keys, [Run(finished_run.folder)]) == REUSABLE[1:]
    assert outputs(run.folder, REUSABLE) == outputs(finished_run.folder, REUSABLE)


def test_a_sibling_that_vanishes_is_passed_over(finished_run, keys, tmp_path, monkeypatch):
    def vanished(source, target):
        raise FileNotFoundError(source)

    monkeypatch.setattr(reuse, "_link", vanished)
    run = Run(tmp_path / "run")
    assert take_stages(run, keys, [Run(finished_run.folder)]) == []
    assert not (run.folder / "classify").exists()


def test_what_is_done_stays(finished_run, keys, tmp_path):
    run = Run(shutil.copytree(finished_run.folder, tmp_path / "run"))
    before = contents(run.folder)
    assert take_stages(run, keys, [Run(finished_run.folder)]) == []
    assert contents(run.folder) == before


def test_which_photos_are_readable_is_found_out_once(finished_run, tmp_path):
    run = Run(tmp_path / "run")
    take_inputs(run, [Run(tmp_path / "none"), Run(finished_run.folder)])
    taken = {path.name for path in run.folder.iterdir()}
    assert taken >= {"inputs.train.json", "inputs.val.json", "inputs.truth.json"}
    assert "photos.json" not in taken
    (run.folder / "inputs.val.json").write_text("{}")
    take_inputs(run, [Run(finished_run.folder)])
    assert (run.folder / "inputs.val.json").read_text() == "{}"
