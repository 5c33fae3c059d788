"""Rehearsals: what a run takes is measured on a few of its photos."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
import weakseg
from weakseg.errors import WeaksegError
from weakseg.planning import rehearsal
from weakseg.planning.rehearsal import Estimate, StageTime, rehearse
from weakseg.recipes.loading import load_recipe
from weakseg.training.progress import Timed


@pytest.mark.parametrize("recipe", ["auto", pytest.param("irnet", marks=pytest.mark.slow), "supervised"])
def test_every_stage_is_timed_and_nothing_stays(recipe: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tiny.write_photos(tmp_path / "photos")
    source = weakseg.open_data(f"voc:{tmp_path / 'photos'}")
    tree = load_recipe(recipe, ["small"] if recipe != "auto" else [], tiny.overrides())
    estimate = rehearse(tree, source)
    assert tuple(estimate.stages) == tree.stages
    assert all(stage.total > 0 for stage in estimate.stages.values())
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert not capsys.readouterr().err


def test_counts_are_scaled_to_all_photos() -> None:
    recipe = load_recipe("auto", [], ["selftrain.train.epochs=2", "selftrain.train.batch_size=10"])
    sample = weakseg.open_data("scenes:4").splits["train"][0]
    source = weakseg.open_data("scenes:4")
    full = {"train": [sample] * 205, "val": [sample] * 30}
    few = {"train": [sample] * 20, "val": [sample] * 10}
    whole, part = (rehearsal.replace(source, splits=splits) for splits in (full, few))
    timed = [
        Timed("selftrain", 40, 8.0),
        Timed("selftrain: masks", 20, 4.0),
        Timed("predict", 10, 5.0),
        Timed("evaluate predict", 10, 1.0),
    ]
    found = rehearsal._scaled("selftrain", 13.0, timed, recipe, whole, part)
    # 400 photos of two epochs at 5 a second; 205 photos at 5 a second; one second to start.
    assert (found.training, found.looking) == pytest.approx((80.0, 41.0 + 1.0))
    assert rehearsal._scaled("predict", 5.5, timed, recipe, whole, part).total == pytest.approx(15.5)
    assert rehearsal._scaled("evaluate", 1.0, timed, recipe, whole, part).total == pytest.approx(3.0)


def test_an_estimate_in_words() -> None:
    estimate = Estimate({"classify": StageTime(100, 20), "predict": StageTime(0, 9)})
    assert estimate.line() == "about 2:09 here (classify 2:00, predict 0:09)"


def test_what_would_stop_the_run_stops_the_rehearsal() -> None:
    recipe = load_recipe("auto", [], ["backbone.name=no_such_network"])
    with pytest.raises(WeaksegError, match="no_such_network"):
        rehearse(recipe, weakseg.open_data("scenes:6"))
