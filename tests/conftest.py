"""Fixtures shared by all tests: reference vectors, real photos, a finished run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import tiny

ROOT = Path(__file__).resolve().parents[1]

# Every test runs on one thread: small tensors gain nothing from more, and runners often have few cores.
# No test may depend on that: WEAKSEG_TEST_THREADS=2 tries two.
torch.set_num_threads(int(os.environ.get("WEAKSEG_TEST_THREADS", "1")))


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The directory of reference vectors: the one named by WEAKSEG_GOLDEN, by default tests/golden."""
    return Path(os.environ.get("WEAKSEG_GOLDEN", ROOT / "tests" / "golden"))


@pytest.fixture(scope="session")
def golden(golden_folder: Path) -> Callable[[str], dict[str, NDArray[Any]]]:
    """Reader of reference vectors: ``golden("miou")["gt"]``."""

    def read(name: str) -> dict[str, NDArray[Any]]:
        path = golden_folder / f"{name}.npz"
        if not path.is_file():
            pytest.fail(f"no golden vector {path}; WEAKSEG_GOLDEN must name a folder that holds it")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    return read


@pytest.fixture(scope="session")
def animals() -> Path:
    """The folder of real photos: 749 + 200 of PASCAL VOC 2012, six classes, tags in tags.csv."""
    folder = Path(os.environ.get("WEAKSEG_ANIMALS", ROOT.parent / "shared" / "data" / "voc-animals"))
    if not (folder / "JPEGImages").is_dir():
        pytest.skip(f"no photos at {folder}; WEAKSEG_ANIMALS may name the voc-animals folder")
    return folder


@dataclass(frozen=True)
class FinishedRun:
    """A tiny run of ``affinitynet``, made once and to be left as it is.

    Attributes:
        folder: of the run.
        photos: its data, in VOC layout.
        arguments: of the command that made it.
        ended: how that command ended.
    """

    folder: Path
    photos: Path
    arguments: list[str]
    ended: tiny.Ended


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A finished run that tests may read, or copy and go on from."""
    root = tmp_path_factory.mktemp("finished")
    photos = tiny.write_photos(root / "photos")
    arguments = tiny.run_arguments(photos, root / "run")
    ended = tiny.weakseg(*arguments)
    assert ended.code == 0, ended.err
    return FinishedRun(root / "run", photos, arguments, ended)
