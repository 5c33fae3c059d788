"""What can be named in a recipe: what comes with the package, and what other packages add by entry points."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from weakseg.errors import one_of

Kind = TypeVar("Kind")


class Registry(Generic[Kind]):
    """Names and what they stand for, loaded when asked for.

    Args:
        kind: what these are, for messages.
        group: of the entry points with which other packages add their own.
        own: "module:attribute" by name.

    Attributes:
        registered: what was named in this process.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self.registered: dict[str, Kind] = {}
        self._own = {name: EntryPoint(name, value, group) for name, value in own.items()}

    def register(self, name: str, value: Kind) -> None:
        """Name something in this process, as a notebook does; a package declares an entry point instead."""
        self.registered[name] = value

    def names(self) -> list[str]:
        """All names, those of the package first."""
        return list(self._own | _added(self.group, tuple(sys.path)) | self.registered)

    def get(self, name: str) -> Kind:
        """What a name stands for. Raises WeaksegError for a name that there is not."""
        if name in self.registered:
            return self.registered[name]
        found = self._own.get(name) or _added(self.group, tuple(sys.path)).get(name)
        if found is None:
            raise one_of(self.kind, name, self.names())
        module, _, attribute = found.value.partition(":")
        value: Any = import_module(module.strip())
        return cast(Kind, getattr(value, attribute.strip()))

    def all(self) -> dict[str, Kind]:
        """Everything by name."""
        return {name: self.get(name) for name in self.names()}


@lru_cache(maxsize=16)
def _added(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of a group; ``path`` is where packages are looked for, and only tells calls apart."""
    return {point.name: point for point in entry_points(group=group)}
