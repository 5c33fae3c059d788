"""A network whose masks are not empty."""

from __future__ import annotations

from pathlib import Path

import pytest

import labelled


@pytest.fixture(scope="session")
def lively_run(tmp_path_factory: pytest.TempPathFactory, finished_run) -> Path:
    """A run to be left as it is."""
    photos = finished_run.photos / "JPEGImages"
    return labelled.lively(finished_run.folder, photos, tmp_path_factory.mktemp("lively") / "run")
