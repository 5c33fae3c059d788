"""Keys of recipes that have moved: an old one is told its new name, and runs that have old ones can still be read."""

from __future__ import annotations

from typing import Any

from weakseg.errors import WeaksegError

OF_DEEPLABV3PLUS = ("pooled_epsilon", "decoder_channels", "atrous_rates")
MOVED = {f"segment.{name}": f"segment.deeplabv3plus.{name}" for name in OF_DEEPLABV3PLUS}
"""New keys by old ones."""


def check_moved(tree: dict[str, Any]) -> None:
    """Raise WeaksegError for an old key, naming the new one."""
    for old, new in MOVED.items():
        above, _, name = old.rpartition(".")
        section = _section(tree, above)
        if section is not None and name in section:
            raise WeaksegError(f"{old}: is called {new} now; write that instead")


def with_new_keys(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree of a finished run with what stood under old keys under the new ones, where none stands yet."""
    for old, new in MOVED.items():
        above, _, name = old.rpartition(".")
        section = _section(tree, above)
        if section is None or name not in section:
            continue
        rest = dict(section)
        value = rest.pop(name)
        tree = _put(_put(tree, above, rest), new, value)
    return tree


def _section(tree: Any, path: str) -> dict[str, Any] | None:
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else None


def _put(tree: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The tree with a value at a path; sections on the way are made."""
    name, dot, rest = path.partition(".")
    below = tree.get(name)
    return tree | {name: _put(below if isinstance(below, dict) else {}, rest, value) if dot else value}
