"""The commands ablate and words, and how studies are listed."""

import json
from pathlib import Path

import pytest

import tiny


@pytest.fixture
def ablate(tmp_path):
    """``ablate("cam", ...)``: the command on tiny photos, without the fixed arguments where a test gives them."""
    photos = tiny.write_photos(tmp_path / "photos")
    overlay = tiny.write_overlay(tmp_path)

    def run(*arguments, data=f"voc:{photos}"):
        where = () if "--out" in arguments else ("--out", tmp_path / "out")
        return tiny.weakseg("ablate", *arguments, "--data", data, "--with", overlay, *where)

    return run


def test_an_ablation_from_the_command_line(ablate, tmp_path):
    quick = ("classify.train.epochs=1", "localize.scales=[0.5]", "--seeds", 1, "--until", "localize")
    ended = ablate("cam", "--vary", "localize.background.threshold=0.1,0.3", *quick)
    assert ended.code == 0, ended.err
    assert "1/2 threshold=0.1, seed 0" in ended.err
    assert "2/2 threshold=0.3, seed 0" in ended.err
    assert "classify: the same as in " in ended.err
    out = tmp_path / "out"
    for text in ("threshold=0.1", "threshold=0.3", "best maps (uses masks)", "tiny.yaml", "train (9 photos)"):
        assert text in ended.out
    for name in ("table.md", "table.csv", "runs.json", "plot.png"):
        assert (out / name).stat().st_size
        assert str(out / name) in ended.out
    again = ablate("cam", "--vary", "localize.background.threshold=0.1,0.3", *quick)
    assert again.code == 0
    assert again.err.count("done before, unchanged") == 2
    assert again.out == ended.out
    # A run of the command is a run like any other.
    assert json.loads((out / "threshold=0.1" / "seed0" / "manifest.json").read_text())["finished"]
    failing = ablate("cam", "--vary", "localize.background.threshold=0.1,0.3", *quick[2:])
    assert "another ablation (overrides: classify.train.epochs=1" in tiny.error_line(failing)


@pytest.mark.parametrize(
    ("arguments", "named", "way_out"),
    [
        (("cma",), "unknown recipe or study 'cma'", "vwe-table1"),
        (("cam",), "nothing to vary", "--vary localize.stride=4,8"),
        (("cam", "--vary", "localize.strude=1,2"), "unknown key localize.strude", "stride"),
        (("cam", "--vary", "localize.stride=4,0"), "localize.stride", "greater than or equal to 1"),
        (("cam", "--vary", "localize.scales=[1.0"), "not closed", ""),
        (("cam", "--vary", "localize.stride=4", "--seeds", "0"), "--seeds 0", "at least 1"),
        (("affinitynet-beta", "--row", "beta=0"), "unknown row of affinitynet-beta 'beta=0'", "'beta="),
        (("cam", "--vary", "localize.stride=4", "--until", "end"), "unknown stage 'end'", "localize"),
        (("cam", "--vary", "localize.stride=4", "--into", "none.md"), "none.md", "Markdown"),
        (("affinitynet-beta", "--vary", "localize.stride=4"), "is a study", "leave --vary out"),
        (("affinitynet-beta", "refine.walk.beta=3"), "refine.walk.beta", "leave the override out"),
    ],
)
def test_a_mistake_is_one_line(ablate, tmp_path, arguments, named, way_out):
    line = tiny.error_line(ablate(*arguments))
    assert named in line
    assert way_out in line
    assert not (tmp_path / "out").exists()


def test_missing_data_are_named(ablate):
    assert "available: voc:PATH" in tiny.error_line(ablate("cam", "--vary", "localize.stride=4", data="photos"))


def test_the_default_directory_has_the_name_of_the_study(tmp_path, monkeypatch):
    tiny.write_photos(tmp_path / "photos")
    tiny.write_overlay(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/affinitynet-beta").touch()
    ended = tiny.weakseg("ablate", "affinitynet-beta", "--data", "voc:photos", "--with", "tiny.yaml")
    assert "runs/affinitynet-beta: is a file" in tiny.error_line(ended)


def test_studies_are_listed_and_printed():
    listed = tiny.weakseg("recipes").out
    assert "studies (weakseg ablate)" in listed
    assert "vwe-table1" in listed
    assert "visual words and hybrid spatial pyramid pooling" in " ".join(listed.split())
    printed = tiny.weakseg("recipes", "vwe-table1").out
    assert printed.startswith("name: vwe-table1\n")
    assert "published: {maps: 52.9}" in printed


def test_words_of_something_else_are_refused(finished_run, tmp_path):
    assert "no weakseg run" in tiny.error_line(tiny.weakseg("words", tmp_path / "none"))
    line = tiny.error_line(tiny.weakseg("words", finished_run.folder))
    assert "has no visual words" in line
    assert "recipe vwe or vwl" in line
    assert "patches must be at least 1" in tiny.error_line(tiny.weakseg("words", finished_run.folder, "--patches", 0))
