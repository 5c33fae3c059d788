"""Makers of small files for the tests of data sources."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo() -> Callable[..., Path]:
    """``photo(path, size=(width, height))`` writes a small picture, of its own shade unless given, and its folders."""
    made = count()

    def make(path: Path, size: tuple[int, int] = (8, 6), shade: int | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (200, 30, next(made) * 7 % 256 if shade is None else shade)).save(path)
        return path

    return make


@pytest.fixture
def mask() -> Callable[..., Path]:
    """``mask(path, values, size=(width, height))`` writes a grey PNG whose rows take the values in turn."""

    def make(path: Path, values: tuple[int, ...] = (0,), size: tuple[int, int] = (8, 6)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = np.resize(np.array(values, dtype=np.uint8), size[1])
        Image.fromarray(np.repeat(rows[:, None], size[0], axis=1)).save(path)
        return path

    return make


@pytest.fixture
def text() -> Callable[[Path, str], Path]:
    """``text(path, content)`` writes UTF-8 text and its parent folders, line ends as given."""

    def make(path: Path, content: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8"))
        return path

    return make
