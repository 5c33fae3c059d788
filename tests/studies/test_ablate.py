import json
import os
import shutil
import signal
import statistics
import threading
import time
from dataclasses import replace

import pytest

import tiny
from weakseg.errors import WeaksegError
from weakseg.pipeline.execute import execute
from weakseg.pipeline.rundir.run import Run
from weakseg.studies import ablate as module
from weakseg.studies import apart
from weakseg.studies.ablate import Table, ablate
from weakseg.studies.apart import execute_apart
from weakseg.studies.plan import make_plan


def stages_done(folder):
    """The stages that a run has computed itself."""
    run = Run(folder)
    return [stage for stage in run.read_recipe().stages if "reused_from" not in run.record(stage)]


def maps(folder):
    return {path.name: path.read_bytes() for path in (folder / "localize" / "maps").iterdir()}


def test_every_row_with_every_seed_and_nothing_twice(ask, executed, tmp_path):
    request = ask("localize.stride=8,16", seeds=2)
    summary = ablate(request)
    out = request.out
    assert executed == [out / f"stride={stride}" / f"seed{seed}" for seed in (0, 1) for stride in (8, 16)]
    assert stages_done(executed[0]) == ["classify", "localize", "evaluate"]
    assert stages_done(executed[1]) == ["localize", "evaluate"]
    assert stages_done(executed[2]) == ["classify", "localize", "evaluate"]
    assert not summary.failed()
    # The table is what the manifests say.
    scores = [
        100 * Run(out / "stride=8" / f"seed{seed}").read_manifest()["metrics"]["localize"]["scores"]["miou_present"]
        for seed in (0, 1)
    ]
    cell = summary.cell(request.study.all_rows()[0], "maps")
    assert cell.mean == pytest.approx(statistics.mean(scores))
    assert cell.spread == pytest.approx(statistics.stdev(scores))
    assert f"{cell.mean:.1f} ± {cell.spread:.1f}" in (out / "table.md").read_text()
    assert {path.name for path in out.iterdir()} == {
        *(".lock", "ablation.json", "stride=8", "stride=16"),
        *("table.md", "table.csv", "runs.json", "plot.png"),
    }
    record = Run(executed[0]).record("classify")
    seen = len(tiny.TRAIN) * Run(executed[0]).read_recipe().classify.train.epochs
    for name, column in (("seconds", "train_seconds"), ("cpu_seconds", "train_cpu_seconds")):
        assert summary.results[0].figures[column] == pytest.approx(record[name] / seen)
    # A run that took stages over is the run that it would be alone.
    execute(make_plan(request)[1].recipe, request.data, tmp_path / "alone")
    assert maps(tmp_path / "alone") == maps(executed[1])
    alone, shared = (Run(folder).read_manifest()["metrics"] for folder in (tmp_path / "alone", executed[1]))
    assert alone == shared
    # Once more costs nothing and changes nothing.
    manifests = [(folder / "manifest.json").read_bytes() for folder in executed[:4]]
    table = (out / "table.md").read_text()
    done = len(executed)
    ablate(request)
    assert len(executed) == done
    assert [(folder / "manifest.json").read_bytes() for folder in executed[:4]] == manifests
    assert (out / "table.md").read_text() == table
    # More of it is a part of the same ablation.
    ablate(ask("localize.stride=8,16,32", seeds=2))
    assert executed[done:] == [out / "stride=32" / f"seed{seed}" for seed in (0, 1)]


def test_rows_may_be_run_one_after_the_other(ask, executed):
    vary = "localize.stride=8,16,32"
    ablate(ask(vary, rows=["stride=32"]))
    both = ablate(ask(vary, rows=["stride=8"]))
    out = ask(vary).out
    assert executed == [out / "stride=32" / "seed0", out / "stride=8" / "seed0"]
    assert [row.label for row in both.study.all_rows()] == ["stride=8", "stride=32"]
    assert both.cell(both.study.all_rows()[1], "maps") is not None
    table = (out / "table.md").read_text()
    assert table.index("| stride=8 |") < table.index("| stride=32 |")
    assert "stride=16" not in table
    # A damaged run costs its own row alone.
    manifest = out / "stride=32" / "seed0" / "manifest.json"
    manifest.write_text(manifest.read_text()[:40])
    left = ablate(ask(vary, rows=["stride=8"]))
    assert [row.label for row in left.study.all_rows()] == ["stride=8"]
    assert len(executed) == 2
    # A run that was made for something else is not of this table.
    short = ablate(ask(vary, rows=["stride=8"], until="classify"))
    assert [row.label for row in short.study.all_rows()] == ["stride=8"]


def test_an_interrupted_ablation_has_a_table_and_goes_on(ask, executed, monkeypatch):
    here, request = module.execute_apart, ask("localize.stride=8,16,32")

    def interrupted(recipe, data, folder):
        if len(executed) == 2:
            raise KeyboardInterrupt
        return here(recipe, data, folder)

    with monkeypatch.context() as patched:
        patched.setattr(module, "execute_apart", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ablate(request)
    lines = (request.out / "table.md").read_text().splitlines()
    assert [line.split("|")[2].strip() != "" for line in lines[2:5]] == [True, True, False]
    ablate(request)
    assert [folder.parent.name for folder in executed] == ["stride=8", "stride=16", "stride=32"]
    with Run(request.out).locked():
        pass


def test_a_run_that_fails_loses_no_other_one(ask, tmp_path, capsys):
    """In processes of their own, as the command does it."""
    request = ask("classify.train.lr=1e30,0.01", overrides=("localize.scales=[0.5]",))
    summary = ablate(request)
    (failed,) = summary.failed()
    assert failed.row.label == "lr=1e30"
    assert failed.error.startswith("classify: the loss is ")
    assert "lower classify.train.lr" in failed.error
    table = Table(summary, request.out)
    table.show()
    with pytest.raises(WeaksegError, match="1 of 2 runs failed"):
        table.check()
    told = table.as_json()
    assert (told["failed"], len(told["runs"])) == (1, 2)
    json.dumps(told)
    text = (request.out / "table.md").read_text()
    assert "| lr=1e30 | failed |" in text
    assert "Failed: lr=1e30, seed 0: classify: the loss is " in text
    assert "| lr=0.01 | failed" not in text
    assert summary.results[1].figures["memory"] > 50
    assert "lr=1e30" in capsys.readouterr().out


def test_the_peak_memory_is_that_of_the_run_that_trained(ask, executed):
    request = ask("localize.background.threshold=0.1,0.2")
    ablate(request)
    record = executed[0] / "classify" / "stage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"peak_memory_mib": 99999}))
    shutil.rmtree(executed[1])
    assert ablate(request).results[1].figures["memory"] == 99999
    # What was interrupted has used memory that nobody has measured.
    record.write_text(json.dumps(json.loads(record.read_text()) | {"sessions": 2}))
    assert ablate(request).results[0].figures["memory"] is None


def test_super_pixels_have_a_time_of_their_own(ask, executed):
    vary = ("classify.options.pairs=grid,superpixel",)
    tokens = ("classify.train.epochs=1", "localize.scales=[0.5]", "classify.options.segments=20")
    grid, superpixel = ablate(ask(*vary, recipe="cpn", overrides=tokens, until="classify")).results
    assert grid.figures["guide_seconds"] < superpixel.figures["guide_seconds"] < superpixel.figures["train_seconds"]


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ("localize.strude=1,2", {}, "unknown key localize.strude; available there: scales"),
        ("localize.stride=8,-1", {}, "localize.stride: .*greater than or equal to 1"),
        ("classify.options.drop=0.1,0.2", {}, "drop=0.1: unknown key classify.options.drop"),
        ("classify.options.dropout=0.1,7", {}, "dropout=7: classify.options.dropout: .*less than or equal to 1"),
        ("classify.method=cam,cma", {}, "method=cma: .*unknown seed method 'cma'"),
        ("data.train=train,tarin", {}, "train=tarin: .*'tarin'"),
        ("data.val=val,vall", {}, "val=vall: .*'vall'"),
        ("localize.stride=8", {"seeds": 0}, "--seeds 0: must be at least 1"),
        ("localize.stride=8", {"until": "train"}, "unknown stage 'train'; available: classify"),
        ("localize.stride=8", {"overrides": ["localize.stride=2"]}, "sets localize.stride itself"),
        ("localize.stride=8", {"overrides": ["localize={stride: 2}"]}, "sets localize.stride itself"),
        ("localize.stride=8", {"overrides": ["seed=2"]}, "seed: the ablation sets the seeds itself"),
    ],
)
def test_all_is_checked_before_anything_is_run(ask, executed, vary, options, message):
    request = ask(vary, **options)
    with pytest.raises(WeaksegError, match=message) as raised:
        ablate(request)
    assert "\n" not in str(raised.value)
    assert not executed
    assert not request.out.exists()


def test_a_directory_of_something_else_is_refused(ask, executed, tmp_path):
    request = ask("localize.stride=8,16", recipe="cam", until="classify")
    request.out.mkdir()
    (request.out / "thesis.tex").touch()
    with pytest.raises(WeaksegError, match="holds files that are no ablation; choose an empty or new directory"):
        ablate(request)
    (request.out / "thesis.tex").unlink()
    (request.out / "ablation.json").write_text(json.dumps(request.identity() | {"overlays": []}))
    with pytest.raises(WeaksegError, match=r"another ablation \(overlays: none, not /.*tiny.yaml\); choose another"):
        ablate(request)
    (request.out / "ablation.json").write_text(json.dumps(request.identity()))
    other = ask("localize.flip=true", until="classify")
    with pytest.raises(WeaksegError, match=r"another ablation \(study: cam-stride, not cam-flip\)"):
        ablate(other)
    with pytest.raises(WeaksegError, match="is a file"):
        ablate(replace(request, out=tmp_path / "tiny.yaml"))
    assert not executed
    # The hardware is not part of what an ablation is.
    assert replace(request, overrides=[*request.overrides, "hardware.threads=1"]).identity() == request.identity()


def test_one_process_at_a_time(ask, executed):
    request = ask("localize.stride=8")
    with Run(request.out).locked(), pytest.raises(WeaksegError, match="another weakseg run is writing there"):
        ablate(request)


def test_the_table_goes_into_a_document(ask, executed, tmp_path):
    document = tmp_path / "doc.md"
    document.write_text("<!-- table:out -->\n<!-- end -->\n")
    request = ask("localize.background.threshold=0.1,0.2", into=document, until="localize")
    summary = ablate(request)
    assert "| threshold=0.2 |" in document.read_text()
    assert document.read_text().count("\n") == len(summary.study.all_rows()) + 6
    document.write_text("nothing\n")
    with pytest.raises(WeaksegError, match="must hold <!-- table:out -->"):
        ablate(request)


def test_what_ends_a_run_is_said_in_one_line(ask, tmp_path):
    recipe = make_plan(ask("localize.stride=8"))[0].recipe
    assert "available: voc:PATH" in execute_apart(recipe, "nowhere", tmp_path / "run")


def _broken(recipe, data, folder):
    raise ZeroDivisionError("division by zero\nin a long story")


class Sink:
    message = None

    def send(self, message):
        self.message = message


def test_an_unforeseen_error_leaves_its_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "run_and_draw", _broken)
    monkeypatch.setattr(apart, "validate", lambda tree: tree)
    monkeypatch.setattr(apart, "_end_with_parent", lambda: None)
    sink = Sink()
    apart._child(sink, None, "scenes:2", tmp_path / "run")
    assert sink.message.startswith("ZeroDivisionError: in a long story (traceback in ")
    assert "_broken" in (tmp_path / "run" / "error.txt").read_text()


@pytest.mark.parametrize(
    ("code", "text"), [(-9, "ended by SIGKILL; out of memory?"), (-15, "ended by SIGTERM"), (3, "exit code 3")]
)
def test_how_a_process_ended_is_named(code, text):
    assert text in apart._ended(code)


def test_a_killed_run_is_a_failed_one(ask, tmp_path):
    """kill -9 of the child while it runs."""
    recipe = make_plan(ask("localize.stride=8"))[0].recipe
    folder = tmp_path / "run"

    def kill():
        for _ in range(1200):
            for child in apart.PROCESSES.active_children():
                if (folder / ".lock").exists():
                    os.kill(child.pid, signal.SIGKILL)
                    return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    message = execute_apart(recipe, "scenes:40", folder)
    killer.join()
    assert message == "the process was ended by SIGKILL; out of memory?"
