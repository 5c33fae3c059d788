"""The Python face: what `import weakseg` gives, on a finished run."""

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


def test_the_network_segments_an_array_as_the_run_did(finished_run):
    segment = weakseg.load_segmenter(finished_run.folder)
    photos = weakseg.open_data(f"voc:{finished_run.photos}")
    sample = photos.splits["val"][0]
    found = segment(sample.read_image())
    assert (found.labels == weakseg.open_run(finished_run.folder).prediction(sample.id)).all()
    assert found.confidence.dtype == np.float32
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    assert segment.names == tuple(tiny.CLASSES)
    with pytest.raises(weakseg.WeaksegError, match=r"uint8 \(H, W, 3\) of red, green and blue, not float64"):
        segment(np.zeros((4, 4, 3)))


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
