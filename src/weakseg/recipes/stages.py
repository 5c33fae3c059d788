"""The stages of a run: their order, and what each of them reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

StageName = Literal[
    "classify", "localize", "relate", "refine", "instances", "selftrain", "segment", "predict", "evaluate"
]
STAGES: tuple[StageName, ...] = get_args(StageName)
"""In the order in which they run."""
DEFAULT_STAGES = tuple(stage for stage in STAGES if stage not in ("instances", "selftrain"))


@dataclass(frozen=True)
class Reads:
    """The stages whose output a stage reads.

    Attributes:
        needed: it cannot do without them.
        used: it reads what they have made where the recipe has them.
    """

    needed: tuple[StageName, ...] = ()
    used: tuple[StageName, ...] = ()


READS: dict[StageName, Reads] = {
    "classify": Reads(),
    "localize": Reads(needed=("classify",)),
    "relate": Reads(needed=("localize",)),
    "refine": Reads(needed=("localize",), used=("relate",)),
    "instances": Reads(needed=("localize", "relate")),
    "selftrain": Reads(needed=("refine",)),
    "segment": Reads(needed=("refine",), used=("selftrain",)),
    "predict": Reads(needed=("segment",)),
    "evaluate": Reads(used=("localize", "refine", "instances", "selftrain", "predict")),
}
"""Seed methods that are not trained need no classify; a segmentation network that learns from true masks no refine."""
