"""Plans cut to a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakseg.planning.minutes import fitted
from weakseg.planning.rehearsal import Estimate, StageTime
from weakseg.recipes.loading import load_recipe

AUTO = load_recipe("auto")
USUAL = Estimate(
    {
        "classify": StageTime(180, 5),
        "localize": StageTime(0, 120),
        "refine": StageTime(0, 90),
        "selftrain": StageTime(280, 140),
        "segment": StageTime(210, 2),
        "predict": StageTime(0, 40),
    }
)


def changed(minutes: float) -> tuple[dict[str, object], Estimate]:
    made, estimate = fitted(AUTO, USUAL, minutes)
    return {choice.key: choice.value for choice in made}, estimate


def test_a_plan_that_fits_stays_as_it_is() -> None:
    assert changed(20) == ({}, USUAL)


def test_views_go_before_epochs() -> None:
    made, estimate = changed(16)
    assert set(made) == {"predict.scales", "localize.scales"}
    assert estimate.total < 16 * 60
    made, estimate = changed(10)
    assert made["classify.train.epochs"] in range(1, AUTO.classify.train.epochs)
    assert estimate.total <= 10 * 60


@given(st.floats(0, 30))
def test_less_time_never_gives_more(minutes: float) -> None:
    made, estimate = changed(minutes)
    assert estimate.total <= USUAL.total
    assert estimate.total <= 60 * minutes or all(
        made[f"{stage}.train.epochs"] == 1 for stage in ("classify", "segment")
    )


def test_only_stages_of_the_run_are_cut() -> None:
    made, _ = fitted(load_recipe("cam", ["small"]), Estimate({"classify": StageTime(100, 1)}), 1)
    assert [choice.key for choice in made] == ["classify.train.epochs"]
    assert made[0].reason == pytest.approx("of 5, for 1 minutes")
