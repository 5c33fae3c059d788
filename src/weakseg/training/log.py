"""metrics.jsonl: one line of figures per logged step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from weakseg.errors import WeaksegError
from weakseg.files import replacing
from weakseg.training.progress import logger


class MetricsLog:
    """Appends figures to a JSON-lines file."""

    def __init__(self, path: Path) -> None:
        """Log to ``path``; the file is made at the first line."""
        self.path = path

    def write(self, stage: str, step: int, **figures: Any) -> None:
        """Append one line. Raises WeaksegError if the file cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"stage": stage, "step": step, **figures}) + "\n")
            shown = (f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, int | float))
            logger.info("%s step %d: %s", stage, step, ", ".join(shown))
        except OSError as error:
            raise WeaksegError(f"{self.path}: cannot be written ({error.strerror}); make room there") from error

    def rows(self) -> list[dict[str, Any]]:
        """All complete lines; one cut short by a kill is passed over."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def rewind(self, stage: str, step: int) -> None:
        """Drop the lines of ``stage`` after ``step``: they will be written again."""
        rows = self.rows()
        kept = [row for row in rows if row["stage"] != stage or row["step"] <= step]
        if self.path.exists():
            with replacing(self.path) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
