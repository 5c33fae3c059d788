"""A plan that fits into a time: fewer views, then fewer epochs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from weakseg.planning.rehearsal import Estimate, StageTime, schedule_key, schedule_of
from weakseg.planning.rules import Choice
from weakseg.recipes.recipe import Recipe

LEAST = 1.0
"""Seconds that a cut saves at least."""


def fitted(
    recipe: Recipe, estimate: Estimate, minutes: float, given: Collection[str] = ()
) -> tuple[list[Choice], Estimate]:
    """What to change so that a run takes no longer than ``minutes``; nothing where it does not.

    First photos are looked at at one scale, which costs little of the masks; then all trainings are cut by one share,
    to one epoch at least.

    Args:
        recipe: as planned.
        estimate: of `weakseg.planning.rehearsal.rehearse`.
        minutes: that the run may take.
        given: keys that somebody has set, with dots: these stay.

    Returns:
        the settings, and about how long the run takes with them: perhaps still longer than asked for.
    """
    made: list[Choice] = []
    for choice, stage, share in _fewer_views(recipe):
        time = estimate.stages.get(stage)
        saved = time.looking * (1 - share) if time else 0.0
        if estimate.total > 60 * minutes and saved >= LEAST and not _is_given(choice.key, given):
            made.append(Choice(choice.key, choice.value, f"{choice.reason} for {minutes:g} minutes"))
            estimate = _changed(estimate, stage, looking=share)
    epochs = {
        stage: schedule_of(recipe, stage).epochs
        for stage, time in estimate.stages.items()
        if time.training and not _is_given(f"{schedule_key(recipe, stage)}.epochs", given)
    }
    left = dict(epochs)
    while estimate.total > 60 * minutes and any(count > 1 for count in left.values()):
        # The training with the most of its epochs left gives one away, so that all are cut by about one share.
        stage = max((name for name in left if left[name] > 1), key=lambda name: left[name] / epochs[name])
        estimate = _changed(estimate, stage, training=(left[stage] - 1) / left[stage])
        left[stage] -= 1
    for stage, count in left.items():
        if count < epochs[stage]:
            reason = f"of {epochs[stage]}, for {minutes:g} minutes"
            made.append(Choice(f"{schedule_key(recipe, stage)}.epochs", count, reason))
    return made, estimate


def _is_given(key: str, given: Collection[str]) -> bool:
    """Whether a key, or a section that it is in, was set."""
    return any(f"{key}.".startswith(f"{other}.") for other in given)


def _fewer_views(recipe: Recipe) -> Iterator[tuple[Choice, str, float]]:
    """Settings that look once instead of at several scales, the stage, and the share of its time that is left.

    A dense CRF takes about as long as the network at one scale, and does not get quicker.
    """
    views = [
        ("localize.scales", "localize", recipe.localize.scales, None),
        ("selftrain.views.scales", "selftrain", recipe.selftrain.views.scales, recipe.selftrain.views.crf),
        ("predict.scales", "predict", recipe.predict.scales, recipe.predict.crf),
    ]
    for key, stage, scales, crf in views:
        several, fixed = sum(scale**2 for scale in scales), 0.0 if crf is None else 1.0
        if several > 1:
            yield Choice(key, [1.0], "one scale"), stage, (1 + fixed) / (several + fixed)


def _changed(estimate: Estimate, stage: str, *, training: float = 1.0, looking: float = 1.0) -> Estimate:
    time = estimate.stages[stage]
    changed = StageTime(time.training * training, time.looking * looking)
    return Estimate({**estimate.stages, stage: changed})
