"""What was labelled, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from weakseg.labelling.index import Row

NAMED = 5
"""Photos that were left out whose reasons are kept."""


@dataclass
class Tally:
    """What was done, counted.

    Attributes:
        masks: how many there are.
        empty: that are background everywhere.
        classes: masks that hold a class, by its name.
        left_out: photos without a mask.
        reasons: of the first of these.
    """

    masks: int = 0
    empty: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def photos(self) -> int:
        """With and without a mask."""
        return self.masks + self.left_out

    def count(self, rows: Iterable[Row]) -> None:
        """Add rows of the index."""
        for row in rows:
            if row.left_out is not None:
                self.left_out += 1
                self.reasons.append(row.left_out)
            else:
                self.masks += 1
                self.empty += not row.classes
                self.classes.update(row.classes or ())
        del self.reasons[NAMED:]

    def add(self, other: Tally) -> None:
        """Add what another has counted."""
        self.masks += other.masks
        self.empty += other.empty
        self.classes.update(other.classes)
        self.left_out += other.left_out
        self.reasons = [*self.reasons, *other.reasons][:NAMED]
