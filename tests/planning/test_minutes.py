"""Plans cut to a time."""

from __future__ import annotations

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
    made, estimate = changed(16.2)
    assert set(made) == {"localize.scales", "predict.scales"}
    assert estimate.total <= 16.2 * 60
    made, estimate = changed(10)
    assert made["classify.train.epochs"] in range(1, AUTO.classify.train.epochs)
    assert estimate.total <= 10.5 * 60


@given(st.floats(0, 30), st.floats(0, 30))
def test_less_time_never_gives_more(minutes: float, more: float) -> None:
    made, estimate = changed(minutes)
    assert estimate.total <= changed(minutes + more)[1].total + 1e-9
    assert estimate.total <= 60 * minutes or all(
        made[f"{stage}.train.epochs"] == 1 for stage in ("classify", "segment")
    )


def test_only_stages_of_the_run_are_cut() -> None:
    made, _ = fitted(load_recipe("cam", ["small"]), Estimate({"classify": StageTime(100, 1)}), 1)
    assert [choice.key for choice in made] == ["classify.train.epochs"]
    assert (made[0].value, made[0].reason) == (2, "of 5, for 1 minutes")


def test_what_was_given_stays() -> None:
    given = ["classify.train", "predict.scales"]
    made, estimate = fitted(AUTO, USUAL, 1, given)
    assert {choice.key for choice in made} == {"localize.scales", "selftrain.train.epochs", "segment.train.epochs"}
    assert estimate.stages["classify"] == USUAL.stages["classify"]


def test_a_view_that_takes_no_time_is_not_cut() -> None:
    quick = Estimate({**USUAL.stages, "predict": StageTime(0, 0.5)})
    assert "predict.scales" not in {choice.key for choice in fitted(AUTO, quick, 1)[0]}


def test_an_epoch_is_cut_from_the_others_where_one_stage_has_no_more_to_give() -> None:
    recipe = load_recipe("auto", [], ["classify.train.epochs=1"])
    made, estimate = fitted(recipe, USUAL, 10.5)
    assert "classify.train.epochs" not in {choice.key for choice in made}
    assert estimate.total <= 10.5 * 60
