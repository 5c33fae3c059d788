"""Runs without a recipe: planned, timed, and taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import tiny


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_photos(tmp_path_factory.mktemp("photos"))


def test_no_recipe_is_a_plan_that_is_kept_and_gone_on_with(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ended = tiny.weakseg("run", *tiny.overrides(), *tiny.AUTO, "--data", photos, "--out", out)
    assert ended.code == 0, ended.err
    assert "planned auto for 9 photos" in ended.err
    assert "the run takes about " in ended.err
    text = (out / "recipe.yaml").read_text()
    assert text.startswith("# Planned for 9 photos (1 without a tag)")
    assert "epochs: 3" in text
    assert "# given" in text
    assert yaml.safe_load(text)["name"] == "auto"
    again = tiny.weakseg("run", "--data", photos, "--out", out)
    assert "going on with the plan in" in again.err
    assert "stage 1 of 7, classify: done before, unchanged" in again.err
    assert (out / "recipe.yaml").read_text() == text
    changed = tiny.weakseg("run", "predict.flip=true", "--data", photos, "--out", out)
    assert "stage 5 of 7, segment: done before, unchanged" in changed.err
    assert "stage 6 of 7, predict: done" not in changed.err
    kept = (out / "recipe.yaml").read_text()
    assert kept.splitlines()[:3] == text.splitlines()[:3]
    assert [line for line in kept.splitlines() if line not in text.splitlines()] == [f"  {'flip: true':<38}  # given"]
    last = tiny.weakseg("run", "--minutes", "1", "--data", photos, "--out", out)
    assert "stage 6 of 7, predict: done before" in last.err
    assert "--minutes: the plan is made already" in last.err
    other = tiny.weakseg("run", "cam", "--plan", "--data", photos, "--out", out)
    assert "holds a run of auto; choose another --out, or add --overwrite" in tiny.error_line(other)


def test_a_named_recipe_is_planned_and_cut(photos: Path, tmp_path: Path) -> None:
    given = [text for text in tiny.overrides() if "epochs" not in text]
    options = ("--plan", "--minutes", "0", "--data", photos, "--out", tmp_path / "run")
    ended = tiny.weakseg("run", "cam", *given, *options)
    assert ended.code == 0, ended.err
    assert "not to be had here" in ended.err
    assert "epochs: 1" in (tmp_path / "run" / "recipe.yaml").read_text()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--with", "small"], "--with small: a planned run takes no overlays"),
        (["cam", "--minutes", "5"], "--minutes cuts a plan: name no recipe, or add --plan"),
        (["classify.no_such=3"], "classify.no_such"),
    ],
)
def test_what_does_not_go_together_is_said(photos: Path, tmp_path: Path, options: list[str], named: str) -> None:
    ended = tiny.weakseg("run", *options, "--data", photos, "--out", tmp_path / "run")
    assert named in tiny.error_line(ended)
    assert not (tmp_path / "run").exists()
