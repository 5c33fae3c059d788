"""What the pages of docs tell a reader to type, in their order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[1] / "docs"


class Block(NamedTuple):
    """A fenced block: its language, "" for commands, and its text."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return [Block(language, text) for language, text in found]


def commands(block: Block) -> list[str]:
    """The command lines of weakseg in a block; what stands for any name is none."""
    parts = (
        [part.strip() for line in block.text.splitlines() for part in line.split("&&")] if not block.language else []
    )
    started = [re.sub(r"^(torchrun|srun) .*?(?=weakseg )", "", part) for part in parts]
    return [part for part in started if part.startswith("weakseg ") and "NAME" not in part]
