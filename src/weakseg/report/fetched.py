"""What `weakseg download` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weakseg.data.downloads.sets import Downloaded
from weakseg.report.datalist import out


@dataclass(frozen=True)
class FetchedData:
    """A data set that is there now.

    Attributes:
        name: as it was asked for.
        found: what was done.
    """

    name: str
    found: Downloaded

    def show(self) -> None:
        """Print what was done, and how to look at it."""
        next_step = [f"look at it: weakseg data {self.found.opens}"] if self.found.opens else []
        for line in (*self.found.lines, *next_step):
            out.print(line, highlight=False, soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"set": self.name, "data": self.found.opens or None, "done": list(self.found.lines)}
