"""Pickles in .npy files: what numpy 1 and 2 and torch write is read, everything else is refused before it runs."""

from __future__ import annotations

import base64
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weakseg.data.npyfiles import read_npy
from weakseg.errors import WeaksegError

NUMPY_1 = """
k05VTVBZAQB2AHsnZGVzY3InOiAnfE8nLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoKSwgfSAgICAgICAgICAgICAgICAgICAgICAg
ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqAA2NudW1weS5jb3JlLm11bHRpYXJyYXkKX3JlY29uc3RydWN0CnEAY251bXB5
Cm5kYXJyYXkKcQFLAIVxAkMBYnEDh3EEUnEFKEsBKWNudW1weQpkdHlwZQpxBlgCAAAATzhxB4mIh3EIUnEJKEsDWAEAAAB8cQpOTk5K/////0r/////
Sz90cQtiiV1xDH1xDShYCwAAADIwMDdfMDAwMDMycQ5oAGgBSwCFcQ9oA4dxEFJxEShLAUsDhXESaAZYAgAAAGY0cROJiIdxFFJxFShLA1gBAAAAPHEW
Tk5OSv////9K/////0sAdHEXYolDDAAAgD8AAAAAAAAAP3EYdHEZYkrhY6B3aABoAUsAhXEaaAOHcRtScRwoSwFLAksChnEdaAZYAgAAAGk4cR6JiIdx
H1JxIChLA2gWTk5OSv////9K/////0sAdHEhYohDIAAAAAAAAAAAAgAAAAAAAAABAAAAAAAAAAMAAAAAAAAAcSJ0cSNiWAEAAABucSRjbnVtcHkuY29y
ZS5tdWx0aWFycmF5CnNjYWxhcgpxJWgGWAIAAABmOHEmiYiHcSdScSgoSwNoFk5OTkr/////Sv////9LAHRxKWJDCAAAAAAAAARAcSqGcStScSxYAQAA
AGlxLWglaCBDCAcAAAAAAAAAcS6GcS9ScTB1YXRxMWIu
"""
"""Written by numpy 1.26.4: ``np.save(path, CONTENT)``."""

CONTENT: dict[Any, Any] = {
    "2007_000032": np.array([1, 0, 0.5], np.float32),
    2007000033: np.array([[0, 1], [2, 3]], order="F"),
    "n": np.float64(2.5),
    "i": np.int64(7),
}


def saved(folder: Path, content: Any) -> Path:
    np.save(folder / "x.npy", content, allow_pickle=True)
    return folder / "x.npy"


def check_content(found: Any) -> None:
    assert list(found) == list(CONTENT)
    for key, value in CONTENT.items():
        np.testing.assert_array_equal(found[key], value)
        assert np.asarray(found[key]).dtype == value.dtype


def test_what_numpy_1_and_2_write(tmp_path: Path) -> None:
    check_content(read_npy(saved(tmp_path, CONTENT)))
    (tmp_path / "old.npy").write_bytes(base64.b64decode(NUMPY_1))
    check_content(read_npy(tmp_path / "old.npy"))


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = saved(tmp_path, CONTENT)
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        header = path.read_bytes()[: file.tell()]
    wrapped = np.array(CONTENT, dtype=object)
    path.write_bytes(header + pickle.dumps(wrapped, protocol=protocol))
    check_content(read_npy(path))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype=">i4")[::2],
        np.array(["a", "bc"]),
        np.zeros((0, 3), bool),
    ],
    ids=str,
)
def test_arrays_in_and_outside_of_pickles(tmp_path: Path, array: Any) -> None:
    for content, inside in ((array, lambda found: found), ({"a": array}, lambda found: found["a"])):
        found = np.asarray(inside(read_npy(saved(tmp_path, content))))
        np.testing.assert_array_equal(found, array)
        assert found.dtype.newbyteorder("=") == np.asarray(array).dtype.newbyteorder("=")


def test_torch_tensors_become_arrays(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(2, 3, 4)
    found = read_npy(saved(tmp_path, {"keys": torch.tensor([3, 7]), "cam": whole, "part": whole[:, 1].half()}))
    np.testing.assert_array_equal(found["cam"], whole.numpy())
    np.testing.assert_array_equal(found["part"], whole[:, 1].half().numpy())
    assert found["keys"].tolist() == [3, 7]


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def test_a_pickle_that_runs_something_is_refused_before_it_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = saved(tmp_path, {"first": np.ones(3), "second": Evil(os.mkdir, str(mark))})
    with pytest.raises(WeaksegError, match=r"x\.npy: its pickle names posix\.mkdir, no number.*was run"):
        read_npy(path)
    assert not mark.exists()
    np.load(path, allow_pickle=True)  # it would have
    assert mark.exists()


@pytest.mark.parametrize("call", [eval, getattr, np.load, torch.load, pickle.loads])
def test_other_callables_are_refused(tmp_path: Path, call: Callable[..., object]) -> None:
    with pytest.raises(WeaksegError, match=r"its pickle names [\w.]+, no number"):
        read_npy(saved(tmp_path, {"a": Evil(call, "1")}))


def test_a_pickle_cannot_change_how_the_next_one_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": 1})
    header = path.read_bytes()[: path.read_bytes().index(b"\n") + 1]
    for slots in ("}", "(dS'__defaults__'\n)s"):
        change = f"cnumpy.core.multiarray\nscalar\n(N{slots}tb.".encode()
        path.write_bytes(header + change)
        with pytest.raises(WeaksegError, match=r"tries to change how it is read|damaged"):
            read_npy(path)
    check_content(read_npy(saved(tmp_path, CONTENT)))


def test_a_pickle_inside_of_a_tensors_bytes_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    inner = pickle.dumps(Evil(os.mkdir, str(mark)))
    with pytest.raises(WeaksegError):
        read_npy(saved(tmp_path, {"a": Evil(torch.storage._load_from_bytes, inner)}))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"a": np.array([(1, 2.0)], dtype=[("x", int), ("y", float)])}, "structures|of the type"),
        ({"a": np.array([1], "M8[s]")}, "of the type M8"),
        ({"a": {1, 2}}, "names builtins.set|holds a set"),
        ({"a": Path("x")}, "its pickle names pathlib"),
    ],
    ids=["structure", "dates", "set", "path"],
)
def test_other_contents_are_refused(tmp_path: Path, content: Any, match: str) -> None:
    with pytest.raises(WeaksegError, match=match):
        read_npy(saved(tmp_path, content))


def test_files_that_are_broken_or_missing(tmp_path: Path) -> None:
    path = saved(tmp_path, CONTENT)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeaksegError, match=r"x\.npy: no \.npy file, or a damaged one"):
        read_npy(path)
    path.write_bytes(b"text")
    with pytest.raises(WeaksegError, match=r"x\.npy: no \.npy file"):
        read_npy(path)
    with pytest.raises(WeaksegError, match="cannot be read"):
        read_npy(tmp_path / "gone.npy")
