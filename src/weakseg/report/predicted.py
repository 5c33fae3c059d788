"""What to tell of masks for new photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.pipeline.newphotos.predictions import Predictions


@dataclass(frozen=True)
class Predicted:
    """Masks that a network has made.

    Attributes:
        written: by `weakseg.pipeline.newphotos.apply.predict_photos`.
        run: the directory of the network.
        missing: what was no photo to begin with, one line each.
    """

    written: Predictions
    run: Path
    missing: Sequence[str]

    def show(self) -> None:
        """Print where the masks are."""
        print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """How many masks are where, and how many are empty, with the way out."""
        written = self.written
        places, count, left_out = written.places, len(written.found), len(written.left_out)
        masks = f"{count} mask{'s' if count != 1 else ''}"
        more = f"; {left_out} left out" if left_out else ""
        lines = [f"{masks} in {places.masks}, overlays in {places.overlays}, both listed in {places.list}{more}"]
        if not written.empty:
            return lines
        lines.append(f"{written.empty} of {masks} {'is' if count == 1 else 'are'} all background")
        if written.empty == count:
            sheet = self.run / "pictures" / "train.png"
            look = f" If {sheet} shows empty pseudo masks, train the classifier longer (classify.train.epochs), else"
            network = f"{look if sheet.exists() else ' Train'} the network (segment.train.epochs)"
            lines[-1] += f": the network finds nothing.{network}"
        return lines

    def as_json(self) -> dict[str, Any]:
        """The same for programs; ``found`` holds the classes in each mask, by id of its photo."""
        places = self.written.places
        return {
            "run": str(self.run),
            "masks": str(places.masks),
            "overlays": str(places.overlays),
            "list": str(places.list),
            "found": {name: list(classes) for name, classes in self.written.found.items()},
            "empty": self.written.empty,
            "left_out": [*self.missing, *self.written.left_out.values()],
        }
