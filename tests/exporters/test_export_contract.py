"""One contract for every exporter, those of other packages too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny
from conftest import FinishedRun
from weakseg.exporters.registry import EXPORTERS


@pytest.fixture(params=EXPORTERS.names())
def to(request: pytest.FixtureRequest) -> str:
    return request.param


def listing(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_folder_and_says_what_and_touches_nothing_else(
    to: str, finished_run: FinishedRun, tmp_path: Path
) -> None:
    before = listing(finished_run.folder), listing(finished_run.photos)
    ended = tiny.weakseg("export", finished_run.folder, "--to", to, "--out", tmp_path / "new" / "out", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["to"] == to
    assert told["counts"]
    assert all(Path(file).exists() for file in told["files"])
    record = json.loads((tmp_path / "new" / "out" / "weakseg-export.json").read_text())
    assert record["counts"] == told["counts"]
    assert record["of"] == str(finished_run.folder)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]
    assert (listing(finished_run.folder), listing(finished_run.photos)) == before
    refused = tiny.weakseg("export", finished_run.folder, "--to", to, "--out", tmp_path / "new" / "out")
    assert "holds an earlier export; choose another --out, or replace it with --overwrite" in tiny.error_line(refused)


def test_it_says_what_is_missing_and_writes_nothing(to: str, tmp_path: Path) -> None:
    line = tiny.error_line(tiny.weakseg("export", tmp_path, "--to", to, "--out", tmp_path / "out"))
    assert "run" in line
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_named(to: str, finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = EXPORTERS.get(to)
    monkeypatch.setattr(exporter, "modules", ("there_is_no_such_module",))
    line = tiny.error_line(tiny.weakseg("export", finished_run.folder, "--to", to))
    assert f"this needs there_is_no_such_module: pip install 'weakseg[{exporter.extra}]'" in line


def test_it_says_what_it_is(to: str) -> None:
    assert EXPORTERS.get(to).about
