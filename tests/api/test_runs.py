"""The Python face: what `import weakseg` gives, on a finished run."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

import tiny
import weakseg
from weakseg.data.images import read_mask


def test_importing_takes_no_time_and_no_torch():
    code = (
        "import sys, time; began = time.perf_counter(); import weakseg; took = time.perf_counter() - began;"
        "print('torch' in sys.modules, took)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, seconds = ended.stdout.split()
    assert loaded == "False"
    assert float(seconds) < 0.3


def test_everything_that_is_promised_is_there():
    assert all(getattr(weakseg, name) is not None for name in weakseg.__all__)
    assert set(weakseg.__all__) <= set(dir(weakseg))
    with pytest.raises(AttributeError, match="has no attribute 'segment'; it has ClassMaps"):
        _ = weakseg.segment


def test_a_finished_run_is_read(finished_run):
    opened = weakseg.open_run(finished_run.folder)
    assert opened.recipe.name == "affinitynet"
    assert opened.classes.names == tuple(tiny.CLASSES)
    assert opened.scores["predict"]["images"] == len(tiny.VAL)
    mask = opened.pseudo_mask("p0")
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}
    maps = opened.class_maps("p6")
    assert isinstance(maps, weakseg.ClassMaps)
    assert maps.classes == (1, 2, 3)
    assert opened.prediction("v1").shape == read_mask(finished_run.folder / "predict" / "masks" / "v1.png").shape
    with pytest.raises(weakseg.WeaksegError, match=r"cat7.png: no such file; ids are those"):
        opened.pseudo_mask("cat7")


def test_a_finished_run_tells_of_its_doubts_and_its_report(finished_run):
    opened = weakseg.open_run(finished_run.folder)
    doubtful = opened.doubtful()
    assert {name for name, _ in doubtful} == {name for name, tags in tiny.TRAIN.items() if tags}
    assert [iou for _, iou in doubtful] == sorted(iou for _, iou in doubtful)
    assert all(0 <= iou <= 1 for _, iou in doubtful)
    assert opened.doubtful(2) == doubtful[:2]
    assert {name for name, _ in opened.doubtful(tag="cat")} == {"p0", "p4", "p6"}
    with pytest.raises(weakseg.WeaksegError, match="unknown class 'horse'"):
        opened.doubtful(tag="horse")
    assert opened.report == finished_run.folder / "report.html"


def test_photos_are_shown_with_all_that_is_known_of_them(finished_run):
    opened = weakseg.open_run(finished_run.folder)
    before = {path: path.stat().st_mtime_ns for path in finished_run.folder.rglob("*")}
    one, three = opened.show("p0"), opened.show("p6")
    width = opened.show("v0").width  # photo, prediction, truth
    assert three.width - one.width == 2 * (one.width - width)  # one map, three maps, and the pseudo mask
    shown = np.asarray(one)
    assert (shown == opened.classes.palette[tiny.CLASSES["cat"]]).all(axis=2).any()
    assert opened.show("p0", "v0").width > one.width  # both kinds of columns
    assert opened.show("p0", size=(20, 30)).width < one.width
    assert opened.show(count=2).height < opened.show().height
    worst = [name for name, _ in opened.doubtful(2)]
    assert (np.asarray(opened.show(count=2)) == np.asarray(opened.show(*worst))).all()
    with pytest.raises(weakseg.WeaksegError, match=r"no photo 'v9' in its lists \(nearest: v\d, "):
        opened.show("v9")
    with pytest.raises(weakseg.WeaksegError, match=r"ids are texts, as in show\('cat/1', 'cat/2'\), not \['p0'\]"):
        opened.show(["p0"])
    assert {path: path.stat().st_mtime_ns for path in finished_run.folder.rglob("*")} == before


def test_photos_that_have_moved_are_shown_from_where_they_are(finished_run, tmp_path):
    shutil.copytree(finished_run.folder, tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(finished_run.photos), str(tmp_path / "gone")))
    with pytest.raises(
        weakseg.WeaksegError, match=r"photos that have moved are found by open_run\('.*run', data=SOURCE\)"
    ):
        weakseg.open_run(tmp_path / "run").show("p0")
    moved = weakseg.open_run(tmp_path / "run", data=f"voc:{finished_run.photos}")
    assert (np.asarray(moved.show("p0")) == np.asarray(weakseg.open_run(finished_run.folder).show("p0"))).all()


def test_a_run_is_exported(finished_run, tmp_path):
    opened = weakseg.open_run(finished_run.folder)
    written = weakseg.export(opened, to="png", out=tmp_path / "one")
    assert (written.folder, written.exported.counts) == (tmp_path / "one", {"masks": 9})
    command = tiny.weakseg("export", finished_run.folder, "--to", "png", "--out", tmp_path / "two")
    assert command.out == "\n".join(written.lines()).replace("/one/", "/two/") + "\n"
    found = weakseg.export(str(finished_run.folder), "coco", str(tmp_path / "three"), what="predictions")
    assert found.exported.counts["photos"] == len(tiny.VAL)
    with pytest.raises(weakseg.WeaksegError, match="unknown value of --what 'all'"):
        weakseg.export(opened, "coco", tmp_path / "four", what="all")
    with pytest.raises(weakseg.WeaksegError, match=r"give a run of weakseg.open_run, or the path of a folder, not 3"):
        weakseg.export(3, "coco")
    assert callable(weakseg.export)  # also after what it needs is imported


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(weakseg.WeaksegError, match="is it the directory of a finished `weakseg run`"):
        weakseg.open_run(tmp_path)
    with pytest.raises(weakseg.WeaksegError, match="no weakseg run"):
        weakseg.load_segmenter(tmp_path)


def test_wrong_arguments_are_one_line(finished_run):
    with pytest.raises(weakseg.WeaksegError, match="give a list of texts, as"):
        weakseg.load_recipe("affinitynet", "small")
    with pytest.raises(weakseg.WeaksegError, match="overrides: give a list"):
        weakseg.load_recipe("affinitynet", ["small"], [3])
    with pytest.raises(weakseg.WeaksegError, match=r"must come from weakseg.load_recipe, not 'affinitynet'"):
        weakseg.run("affinitynet", "scenes:4", "none")
    with pytest.raises(weakseg.WeaksegError, match="or a path, not None"):
        weakseg.open_data(None)
    with pytest.raises(weakseg.WeaksegError, match="there is no device 'abacus' here; take 'cpu' or 'auto'"):
        weakseg.load_segmenter(finished_run.folder, device="abacus")
    assert weakseg.open_data(finished_run.photos).classes.names == tuple(tiny.CLASSES)
