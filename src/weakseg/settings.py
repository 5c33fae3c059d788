"""Settings: frozen dataclasses, each beside the code that reads it, checked wherever they are made.

A field's docstring is its help: recipes print it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import wraps
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from annotated_types import Ge, Gt, Interval
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from weakseg.errors import WeaksegError, one_of

Class = TypeVar("Class", bound=type)

Unit = Annotated[float, Interval(ge=0, le=1)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
PositiveInt = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]
Scale = Annotated[float, Interval(ge=0.1, le=8)]
"""A factor of a photo's size."""
Range = Annotated[int, Ge(2)]
"""A distance in map pixels below which pixels are a pair."""

_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
_WORDS = {
    "tuple_type": "must be a list",
    "dataclass_type": "must be a section of keys",
    "model_type": "must be a section of keys",
    "dict_type": "must be a section of keys",
    "too_short": "must not be empty",
}
"""Of mistakes, in place of pydantic's, which speak of Python."""


@dataclass_transform(frozen_default=True)
def settings(cls: Class) -> Class:
    """Make a class a frozen dataclass whose values are checked when it is made.

    Raises:
        WeaksegError: by the class, for a value out of range or an unknown field; the message names the field.

    Example:
        >>> @settings
        ... class Walk:
        ...     beta: Positive = 8.0
        >>> Walk(beta=2).beta
        2.0
    """
    made: Any = dataclass(cls, frozen=True, config=_CONFIG)
    checked = made.__init__

    @wraps(checked)
    def init(self: Any, *values: Any, **named: Any) -> None:
        try:
            checked(self, *values, **named)
        except ValidationError as error:
            raise WeaksegError(f"{cls.__name__}: {mistake(error, made)}") from error

    made.__init__ = init
    return cast(Class, made)


def mistake(error: ValidationError, kind: type) -> str:
    """The first mistake in values for a class, in one line that names the field.

    Args:
        error: of pydantic.
        kind: the settings class, or the model, that was to be made.
    """
    first = error.errors()[0]
    place = tuple(part for part in first["loc"] if not isinstance(part, str) or not part.startswith("function-"))
    key, value = ".".join(str(part) for part in place), first["input"]
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {key}; available there: {', '.join(_fields(kind, place[:-1]))}"
    begin = f"{key}: " if key else ""
    if first["type"] == "literal_error":
        name = next((part for part in reversed(place) if isinstance(part, str)), "value")
        return f"{begin}{one_of(name, str(value), _quoted(first['ctx']['expected']))}"
    message = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
    simple = value is None or isinstance(value, (str, int, float, bool, list, tuple))
    simple = simple and first["type"] not in ("value_error", "too_short")
    return f"{begin}{message[0].lower()}{message[1:]}{f', not {value!r}' if simple else ''}"


def _quoted(expected: str) -> list[str]:
    """The names in pydantic's "'a', 'b' or 'c'"."""
    return [name.strip().strip("'") for name in expected.replace(" or ", ", ").split(",")]


def _fields(kind: Any, path: tuple[int | str, ...]) -> list[str]:
    """The names of the fields of what stands at a path below a class."""
    for part in path:
        fields = kind.__pydantic_fields__
        if part in fields:
            annotation = fields[part].annotation
            options = [annotation, *getattr(annotation, "__args__", ())]
            kind = next((item for item in options if hasattr(item, "__pydantic_fields__")), kind)
    return list(kind.__pydantic_fields__)


def field_help(kind: type) -> Mapping[str, str]:
    """The docstrings of the fields of a settings class, those that it inherits included, by name."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        for name, field in vars(base).get("__pydantic_fields__", {}).items():
            if field.description:
                found[name] = " ".join(field.description.split())
    return {field.name: found.get(field.name, "") for field in dataclasses.fields(kind)}


def plain(value: Any) -> dict[str, Any]:
    """Settings as a tree of plain values, as a recipe writes them."""
    return {name: _listed(each) for name, each in dataclasses.asdict(value).items()}


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _listed(each) for name, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, (tuple, list)) else value
