"""Allocations that fail become one line with the way out."""

from pathlib import Path

import pytest
import torch

from weakseg.errors import WeaksegError
from weakseg.training.infer import process
from weakseg.training.memory import allocating


def test_an_allocation_that_fails_is_named():
    with pytest.raises(WeaksegError, match="cat/1: not enough memory; shrink it"), allocating("cat/1", "shrink it"):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), allocating("cat/1", "shrink it"):
        raise RuntimeError("shape")


def test_the_photo_is_named(tmp_path: Path):
    def work(item: str, loaded: str) -> None:
        raise MemoryError

    with pytest.raises(WeaksegError, match="maps: dog2: not enough memory; smaller"):
        process(["dog2"], str, work, lambda item: tmp_path / f"{item}.png", title="maps", remedy="smaller")
