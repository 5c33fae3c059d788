"""What to tell of many labelled photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weakseg.labelling.index import FOLDER
from weakseg.labelling.label import Labelled
from weakseg.labelling.sinks import MASKS, SHARDS


@dataclass(frozen=True)
class LabelledAnswer:
    """Masks that `weakseg.labelling.label.label` has made.

    Attributes:
        done: what it has left.
    """

    done: Labelled

    @property
    def _places(self) -> tuple[str, str]:
        """Of masks and index."""
        url = self.done.output.url.rstrip("/")
        return f"{url}/{SHARDS if self.done.shards else MASKS}", f"{url}/{FOLDER}"

    def show(self) -> None:
        """Print where the masks are."""
        print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """How many masks are where, and how many are empty."""
        tally, (masks, index) = self.done.tally, self._places
        several = "" if tally.masks == 1 else "s"
        before = f", {self.done.before} photos of them done before" if self.done.before else ""
        more = f"; {tally.left_out} left out, the index says why" if tally.left_out else ""
        lines = [f"{tally.masks} mask{several} in {masks}, listed in {index}{before}{more}"]
        if tally.empty:
            lines.append(f"{tally.empty} of {tally.masks} mask{several} are all background")
        return lines

    def as_json(self) -> dict[str, Any]:
        """The same for programs; ``classes`` says how many masks hold each class."""
        tally, (masks, index) = self.done.tally, self._places
        return {
            "run": str(self.done.run),
            "masks": masks,
            "index": index,
            "count": tally.masks,
            "done_before": self.done.before,
            "empty": tally.empty,
            "classes": dict(sorted(tally.classes.items())),
            "left_out": tally.left_out,
            "reasons": [*self.done.missing, *tally.reasons],
        }
