"""What a finished run leaves in doubt, with what to do: tags that were not learnt, masks without their tags."""

from __future__ import annotations

from typing import Any

from weakseg.evaluation.presence import presence_line, remedy
from weakseg.evaluation.tagging import not_learnt
from weakseg.recipes.recipe import Recipe


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
