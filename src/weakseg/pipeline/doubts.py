"""What a finished run leaves in doubt, with what to do: tags that were not learnt, masks without their tags."""

from __future__ import annotations

from typing import Any

from weakseg.errors import WeaksegError
from weakseg.evaluation.presence import Presence, presence_line
from weakseg.evaluation.tagging import not_learnt
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import say


def doubts(recipe: Recipe, manifest: dict[str, Any]) -> list[str]:
    """One line per doubt of a run's manifest; none where every tag was learnt and has its pixels."""
    summaries = {name: record.get("summary") or {} for name, record in manifest["stages"].items()}
    lines = []
    known = summaries.get("classify", {}).get("tags")
    if known:
        lines += not_learnt(known)
    for stage in ("localize", "refine"):
        presence = summaries.get(stage, {}).get("presence")
        line = presence_line(stage, presence) if presence else None
        if line is not None:
            lines.append(f"{line}; to mend it, {remedy(recipe, stage)}")
    return lines


def remedy(recipe: Recipe, stage: str) -> str:
    """What to do about masks without a pixel of their tags."""
    section = recipe.localize.background if stage == "localize" else recipe.refine.background
    key = f"{stage}.background"
    ways = {
        "constant": f"lower {key}.threshold (now {section.threshold:g})",
        "power": f"raise {key}.alpha (now {section.alpha:g})",
        "own": f"lower {key}.weight (now {section.weight:g})",
    }
    return (
        f"see whether the classifier has learnt the tags (classify.train.epochs is {recipe.classify.train.epochs}, "
        f"more photos help too), and {ways[section.rule]}"
    )


def report_presence(recipe: Recipe, stage: str, presence: Presence) -> None:
    """Say what is missing after a stage.

    Raises:
        WeaksegError: after refine, if no tagged photo has a pixel of its tags: nothing could be learnt from the masks.
    """
    line = presence_line(stage, presence)
    if line is None:
        return
    if stage == "refine" and presence["empty"] == presence["tagged"]:
        raise WeaksegError(
            f"{line}: all pseudo masks are empty, nothing can be learnt from them; {remedy(recipe, stage)}"
        )
    say(line, "yellow")
