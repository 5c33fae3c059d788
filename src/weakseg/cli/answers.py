"""The result of a command: for people, or as one JSON object with --json."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Answer(Protocol):
    """What a command has found or made."""

    def show(self) -> None:
        """Print it for people, on standard output."""

    def as_json(self) -> dict[str, Any]:
        """The same for programs, of what JSON can spell."""


def answer(found: Answer, as_json: bool) -> None:
    """Print the result of a command: the only thing that goes to standard output.

    Args:
        found: the result.
        as_json: as one JSON object on one line.
    """
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        found.show()
