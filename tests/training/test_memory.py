"""Allocations that fail become one line with the way out."""

from pathlib import Path

import pytest
import torch

from weakseg.errors import WeaksegError
from weakseg.training.memory import allocating
from weakseg.training.photos import undone


def test_an_allocation_that_fails_is_named():
    with pytest.raises(WeaksegError, match="cat/1: not enough memory; shrink it"), allocating("cat/1", "shrink it"):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), allocating("cat/1", "shrink it"):
        raise RuntimeError("shape")


def test_the_photo_is_named(tmp_path: Path):
    def work() -> None:
        for name, _ in undone(["dog1", "dog2"], str, lambda item: tmp_path / f"{item}.png", title="maps"):
            if name == "dog2":
                raise MemoryError

    with pytest.raises(WeaksegError, match="maps: dog2: not enough memory; smaller"), allocating("maps", "smaller"):
        work()


def test_what_is_there_is_left_out(tmp_path: Path):
    names = [f"dog{number}" for number in range(4)]
    (tmp_path / "dog2").touch()
    assert [name for name, _ in undone(names, str, tmp_path.joinpath, title="")] == ["dog0", "dog1", "dog3"]
