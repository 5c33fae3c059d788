"""What a finished run leaves in doubt, with what to do: tags that were not learnt, masks without their tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weakseg.errors import WeaksegError
from weakseg.evaluation.presence import Presence
from weakseg.evaluation.tagging import Knowledge
from weakseg.pipeline.pretraining import pretraining_lines
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import say, warn
from weakseg.training.train import rise_line

LEARNT = 0.5
"""Recall from which a class counts as learnt."""


def doubts(recipe: Recipe, manifest: dict[str, Any]) -> list[str]:
    """One line per doubt of a run's manifest; none where every tag was learnt and has its pixels."""
    summaries = {name: record.get("summary") or {} for name, record in manifest["stages"].items()}
    lines = pretraining_lines(manifest)
    lines += [rise_line(name, summary["rose"]) for name, summary in summaries.items() if "rose" in summary]
    known = summaries.get("classify", {}).get("tags")
    if known:
        lines += not_learnt(known)
    return lines + _lacking(recipe, summaries)


def _lacking(recipe: Recipe, summaries: Mapping[str, Any]) -> list[str]:
    """What the last masks lack, and how to mend it where it was lost; earlier stages have told of their own."""
    told = {name: summaries.get(name, {}).get("presence") for name in ("localize", "refine", "selftrain")}
    lines = {name: presence_line(name, presence) for name, presence in told.items() if presence}
    if len(lines) > 1:
        lines.pop("localize", None)  # what its maps lack at its own threshold masks need not lack
    lost = [name for name, line in lines.items() if line is not None]
    last = list(lines.values())[-1] if lines else None
    return [] if last is None else [f"{last}; to mend it, {remedy(recipe, lost[0])}"]


def drawn_line(manifest: dict[str, Any]) -> str | None:
    """How many of a run's masks people have drawn or rejected, in words; None where it learnt without them."""
    reviews = manifest.get("reviews") or {}
    counts = (("drawn", "drawn by hand, learnt from as truth"), ("rejected", "rejected by hand, not learnt from"))
    parts = [f"{_masks(reviews[key])} {text}" for key, text in counts if reviews.get(key)]
    if reviews.get("retagged"):
        parts.append(f"{reviews['retagged']} photos with tags changed by hand")
    return "; ".join(parts) or None


def _masks(count: int) -> str:
    return "1 mask" if count == 1 else f"{count} masks"


def knowledge_lines(found: Knowledge) -> list[str]:
    """The figures in one line, and one for each class that has not been learnt."""
    figures = [
        f"finds {_percent(found['recall'])} of the tags",
        f"{_percent(found['precision'])} of what it finds is right",
        f"mean average precision {_percent(found['mean_average_precision'])}",
    ]
    lines = [f"classify: on {found['images']} photos ({found['on']}): {', '.join(figures)}"]
    return lines + not_learnt(found)


def not_learnt(found: Knowledge) -> list[str]:
    """One line for each class that the classifier finds on fewer than half of its photos."""
    return [
        f"the classifier has not learnt {name}: found on {each['found']} of {each['images']} photos"
        for name, each in found["classes"].items()
        if each["images"] and each["recall"] < LEARNT
    ]


def report_knowledge(found: Knowledge) -> None:
    """Say how well the tags are known."""
    first, *others = knowledge_lines(found)
    say(first)
    for line in others:
        warn(line)


def presence_line(stage: str, presence: Presence) -> str | None:
    """What is missing, in one line; None where every tag has a pixel."""
    lacking = {name: counts for name, counts in presence["classes"].items() if counts["without"]}
    if not lacking:
        return None
    counts = ", ".join(f"{name} {each['without']} of {each['tagged']}" for name, each in lacking.items())
    return (
        f"{stage}: {presence['empty']} of {presence['tagged']} tagged photos have no pixel of their tags "
        f"(without a pixel of the class: {counts})"
    )


def remedy(recipe: Recipe, stage: str) -> str:
    """What to do about masks without a pixel of their tags."""
    if stage == "selftrain":
        return f"train longer (selftrain.train.epochs is {recipe.selftrain.train.epochs}), or look at refine's masks"
    given = recipe.localize.maps if stage == "localize" else recipe.refine.masks
    if given is not None:
        return f"look at what {given} holds of these photos"
    section = recipe.localize.background if stage == "localize" else recipe.refine.background
    key = f"{stage}.background"
    ways = {
        "constant": f"lower {key}.threshold (now {section.threshold:g})",
        "power": f"raise {key}.alpha (now {section.alpha:g})",
        "own": f"lower {key}.weight (now {section.weight:g})",
    }
    if "classify" not in recipe.stages:
        return f"see whether {recipe.classify.method} suits the photos (classify.options), and {ways[section.rule]}"
    return (
        f"see whether the classifier has learnt the tags (classify.train.epochs is {recipe.classify.train.epochs}, "
        f"more photos help too), and {ways[section.rule]}"
    )


def report_presence(recipe: Recipe, stage: str, presence: Presence, *, needed: bool = True) -> None:
    """Say what is missing after a stage.

    Args:
        recipe: the settings.
        stage: that has made maps or masks.
        presence: what is in them.
        needed: whether something is going to learn from them.

    Raises:
        WeaksegError: if it is, and no tagged photo has a pixel of its tags.
    """
    line = presence_line(stage, presence)
    if line is None:
        return
    if needed and presence["empty"] == presence["tagged"]:
        raise WeaksegError(
            f"{line}: all pseudo masks are empty, nothing can be learnt from them; {remedy(recipe, stage)}"
        )
    warn(line)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.0f} %"
