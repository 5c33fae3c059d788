"""A plan that fits into a time: fewer views, then fewer epochs."""

from __future__ import annotations

from collections.abc import Iterator

from weakseg.planning.rehearsal import Estimate, StageTime, schedule_of
from weakseg.planning.rules import Choice
from weakseg.recipes.recipe import Recipe


def fitted(recipe: Recipe, estimate: Estimate, minutes: float) -> tuple[list[Choice], Estimate]:
    """What to change so that a run takes no longer than ``minutes``; nothing where it does not.

    First photos are looked at at one scale, which costs little of the masks; then all trainings are cut by one share,
    to one epoch at least.

    Args:
        recipe: as planned.
        estimate: of `weakseg.planning.rehearsal.rehearse`.
        minutes: that the run may take.

    Returns:
        the settings, and about how long the run takes with them: perhaps still longer than asked for.
    """
    made: list[Choice] = []
    for choice, stage, share in _fewer_views(recipe):
        if estimate.total > 60 * minutes and stage in estimate.stages:
            made.append(Choice(choice.key, choice.value, f"{choice.reason} for {minutes:g} minutes"))
            estimate = _changed(estimate, stage, looking=share)
    over = estimate.total - 60 * minutes
    training = sum(stage.training for stage in estimate.stages.values())
    if over > 0 and training:
        share = max(0.0, 1 - over / training)
        for stage, time in estimate.stages.items():
            if not time.training:
                continue
            now = schedule_of(recipe, stage).epochs
            epochs = max(1, int(now * share))
            key = f"relate.{recipe.relate.method}" if stage == "relate" else stage
            made.append(Choice(f"{key}.train.epochs", epochs, f"of {now}, for {minutes:g} minutes"))
            estimate = _changed(estimate, stage, training=epochs / now)
    return made, estimate


def _fewer_views(recipe: Recipe) -> Iterator[tuple[Choice, str, float]]:
    """Settings that look once instead of at several scales, the stage, and the share of its time that is left."""
    views = [
        ("predict.scales", "predict", recipe.predict.scales),
        ("selftrain.views.scales", "selftrain", recipe.selftrain.views.scales),
        ("localize.scales", "localize", recipe.localize.scales),
    ]
    for key, stage, scales in views:
        if len(scales) > 1:
            yield Choice(key, [1.0], "one scale"), stage, 1 / sum(scale**2 for scale in scales)


def _changed(estimate: Estimate, stage: str, *, training: float = 1.0, looking: float = 1.0) -> Estimate:
    time = estimate.stages[stage]
    changed = StageTime(time.training * training, time.looking * looking)
    return Estimate({**estimate.stages, stage: changed})
