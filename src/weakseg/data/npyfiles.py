"""Reading .npy files of other people, also those that hold Python objects, without running what they say."""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weakseg.errors import WeaksegError

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_DEEPEST = 8
_NUMBERS = re.compile(r"[<>=|]?[?biufcSU]\d{0,4}")
_OBJECTS = ("O", "O8", "|O", "|O8")


def read_npy(path: Path) -> Any:
    """What a .npy file holds: an array, or of ``np.save(path, {...})`` the dict itself.

    Python objects are numbers, text, lists, dicts, numpy arrays and torch tensors (which become arrays). What names
    anything else is refused by its name before any of it is called: a pickle can run whatever it likes.

    Raises:
        WeaksegError: the file is missing, damaged, no .npy, or holds something else.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            dtype = read_header[version](file)[2] if version in read_header else None
            if dtype is not None and dtype.hasobject:
                return _plain(_PlainUnpickler(file, encoding="latin1").load(), _DEEPEST)
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be read ({error.strerror or error})") from None
    except WeaksegError as error:
        raise WeaksegError(f"{path}: {error}") from None
    except Exception as error:  # on broken files pickle and numpy raise nearly anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise WeaksegError(f"{path}: no .npy file, or a damaged one ({reason})") from None


class _Dtype:
    """A type of numbers, as a pickle describes it to ``numpy.dtype``; structures and flags are not taken over."""

    def __init__(self, text: object, *flags: object) -> None:
        self.text = text.decode("latin1") if isinstance(text, bytes) else str(text)
        self.objects = self.text in _OBJECTS
        if not (self.objects or _NUMBERS.fullmatch(self.text)):
            raise WeaksegError(f"holds an array of the type {self.text}; only numbers and text are read")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if any(part is not None for part in state[2:5]):
            raise WeaksegError("holds an array of structures; only numbers and text are read")
        if state[1] in ("<", ">") and self.text[0] not in "<>=|":
            self.text = f"{state[1]}{self.text}"

    def read(self, content: Any, shape: tuple[int, ...], order: Any = "C") -> Any:
        """An array of bytes, or for objects the list of them."""
        if self.objects:
            if not isinstance(content, list):
                raise WeaksegError("holds an array of objects that are no list")
            return content
        raw = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(raw, np.dtype(self.text)).reshape(shape, order=order)


class _Array:
    """An array that a pickle fills after it has made it."""

    value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        found = dtype.read(content, shape, "F" if fortran else "C")
        self.value = found[0] if dtype.objects and shape == () else found


class _NamedOnly:
    """Stands for ``numpy.ndarray``, which pickles name and never call."""

    __slots__ = ()


_NDARRAY = _NamedOnly()


def _made(kind: object, shape: object, typecode: object) -> _Array:
    """Stands for ``numpy.core.multiarray._reconstruct``."""
    if kind is not _NDARRAY:
        raise WeaksegError("holds an array of a kind of its own; only numpy.ndarray is read")
    return _Array()


def _scalar(dtype: _Dtype, content: Any) -> Any:
    """Stands for ``numpy.core.multiarray.scalar``."""
    return dtype.read(content, (1,))[0].item()


def _array_of(content: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> Any:
    """Stands for ``numpy.core.numeric._frombuffer``."""
    return dtype.read(content, shape, order)


def _encoded(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, which old pickles write bytes by."""
    if encoding != "latin1":
        raise WeaksegError(f"holds bytes as {encoding}; numpy writes latin1")
    return text.encode("latin1")


def _storage(content: bytes) -> Any:
    """Stands for ``torch.storage._load_from_bytes``, which would unpickle anything."""
    import torch  # here, because most files hold arrays alone

    return torch.load(io.BytesIO(content), weights_only=True)


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: object) -> Any:
    """Stands for ``torch._utils._rebuild_tensor_v2``; torch refuses what reaches beyond the storage."""
    import torch

    return torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict()).numpy()


class _StandIn:
    """What a pickle gets to call; it cannot change it, as it could a function."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise WeaksegError("its pickle tries to change how it is read; nothing of it was run")

    def __setstate__(self, state: object) -> None:
        self.__setattr__("", state)


_ALLOWED: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _StandIn(_Dtype),
    # numpy 1 calls the package core, numpy 2 _core.
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _StandIn(_made) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _StandIn(_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _StandIn(_array_of) for core in ("core", "_core")},
    ("collections", "OrderedDict"): _StandIn(OrderedDict),
    ("_codecs", "encode"): _StandIn(_encoded),
    ("torch.storage", "_load_from_bytes"): _StandIn(_storage),
    ("torch._utils", "_rebuild_tensor_v2"): _StandIn(_tensor),
}
"""What a pickle of numbers names, and what stands for it here. Nothing of it calls anything that the pickle chooses."""


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles numbers, text, lists, dicts and arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise WeaksegError(
                f"its pickle names {module}.{name}, no number, text, list, dict or array; nothing of it was run"
            )
        return _ALLOWED[module, name]


def _plain(value: Any, depth: int) -> Any:
    """What was read, of plain types; an array around one object is that object.

    Raises:
        WeaksegError: there is something else in it.
    """
    if depth == 0:
        raise WeaksegError(f"lists and dicts lie more than {_DEEPEST} deep in one another")
    if isinstance(value, _Array):
        return _plain(value.value, depth - 1)
    if isinstance(value, (*_PLAIN, np.ndarray)):
        return value
    if isinstance(value, dict):
        return {_plain(key, depth - 1): _plain(entry, depth - 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, depth - 1) for entry in value]
    raise WeaksegError(f"holds a {type(value).__name__}, which is no number, text, list, dict or array")
