"""What stands behind the colon of a source: a path, then options such as ``val=FILE``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from weakseg.errors import one_of


def split_options(kind: str, text: str, forms: Sequence[str]) -> tuple[Path, list[tuple[str, str]]]:
    """Split "PATH,name=value,..."; a path that holds commas and exists is a path.

    Args:
        kind: the word before the colon, for messages.
        text: what stands behind it.
        forms: how options are written, for messages. Which names there are is the caller's affair.

    Raises:
        WeaksegError: an option without name or value.
    """
    if os.path.exists(os.path.expanduser(text)):
        return Path(text).expanduser(), []
    path, *rest = text.split(",")
    options = []
    for option in rest:
        name, separator, value = option.partition("=")
        if not (name and separator and value):
            raise one_of(f"option of {kind}", option, forms)
        options.append((name, value))
    return Path(path).expanduser(), options
