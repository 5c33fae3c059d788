"""What can be named in a recipe: what comes with the package, and what other packages add by entry points."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from weakseg.errors import WeaksegError, one_of

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
        """What a name stands for.

        Raises:
            WeaksegError: there is no such name, or the package that has it cannot be imported.
        """
        if name in self.registered:
            return self.registered[name]
        found = self._own.get(name) or _added(self.group, tuple(sys.path)).get(name)
        if found is None:
            raise one_of(self.kind, name, self.names())
        module, _, attribute = found.value.partition(":")
        try:
            value: Any = getattr(import_module(module.strip()), attribute.strip())
        except Exception as error:
            if name in self._own:
                raise
            package = found.dist.name if found.dist is not None else "another package"
            reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
            raise WeaksegError(
                f"{self.kind} {name}: the entry point {found.value} of {package} cannot be loaded ({reason}); mend or "
                "remove that package"
            ) from error
        return cast(Kind, value)

    def all(self) -> dict[str, Kind]:
        """Everything by name, but for entry points that cannot be loaded."""
        found = {}
        for name in self.names():
            with suppress(WeaksegError):
                found[name] = self.get(name)
        return found


@lru_cache(maxsize=16)
def _added(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of a group; ``path`` is where packages are looked for, and only tells calls apart."""
    return {point.name: point for point in entry_points(group=group)}
