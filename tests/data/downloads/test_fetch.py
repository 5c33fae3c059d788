from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from weakseg.data.downloads import fetch as fetching
from weakseg.errors import WeaksegError

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()
Get = Callable[..., fetching.Fetched]


@pytest.fixture
def get(site: Any, tmp_path: Path) -> Get:
    """Fetches the site's file into file.bin, without waiting."""
    site.files["/file.bin"] = CONTENT
    return partial(fetching.fetch, f"{site.address}/file.bin", tmp_path / "file.bin", wait=0)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole(get: Get, tmp_path: Path) -> None:
    found = get(MD5)
    assert (found.checked, found.kept) == ("MD5", False)
    assert found.path.read_bytes() == CONTENT
    assert left(tmp_path) == ["file.bin"]


def test_it_goes_on_where_it_broke_off(get: Get, site: Any, tmp_path: Path) -> None:
    site.breaks = [1000, 2500, None]
    assert get(MD5).path.read_bytes() == CONTENT
    assert site.asked == ["", "bytes=1000-", "bytes=3500-"]
    assert left(tmp_path) == ["file.bin"]


def test_the_next_call_goes_on_too(get: Get, site: Any, tmp_path: Path) -> None:
    site.breaks = [1000, 0, 0]
    with pytest.raises(
        WeaksegError, match=r"file\.bin: broke off after 0\.0 MB \(the connection was closed\); the part"
    ):
        get(MD5, tries=2)
    assert left(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    assert get(MD5).path.read_bytes() == CONTENT
    assert site.asked[-1] == "bytes=1000-"


def test_progress_earns_new_tries(get: Get, site: Any) -> None:
    site.breaks = [1000] * 9
    assert get(MD5, tries=2).path.read_bytes() == CONTENT
    assert len(site.asked) == 10


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_server_without_ranges_sends_it_anew(get: Get, site: Any, md5: str | None) -> None:
    site.ranges, site.breaks = False, [1000, None]
    found = get(md5)
    assert found.path.read_bytes() == CONTENT
    assert found.checked == ("MD5" if md5 else "size")
    assert site.asked == ["", "bytes=1000-"]


def test_a_file_that_changed_on_the_server_is_not_patched_together(get: Get, site: Any) -> None:
    site.breaks = [1000, 0]
    with pytest.raises(WeaksegError, match="broke off"):
        get(tries=1)
    site.files["/file.bin"], site.etag = CONTENT[::-1], '"two"'
    assert get().path.read_bytes() == CONTENT[::-1]


def test_without_anything_that_tells_versions_apart_it_starts_anew(get: Get, site: Any) -> None:
    site.etag, site.breaks = None, [1000, None]
    assert get().path.read_bytes() == CONTENT
    assert site.asked == ["", ""]


def test_wrong_bytes_never_become_the_file(get: Get, site: Any, tmp_path: Path) -> None:
    site.files["/file.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(WeaksegError, match=rf"wrong bytes came \(MD5 \w+, expected {MD5}\), and were removed"):
        get(MD5)
    assert left(tmp_path) == []


def test_a_damaged_part_is_found_by_the_md5(get: Get, site: Any, tmp_path: Path) -> None:
    site.breaks = [1000, 0]
    with pytest.raises(WeaksegError):
        get(MD5, tries=1)
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeaksegError, match="wrong bytes"):
        get(MD5)
    assert get(MD5).path.read_bytes() == CONTENT


def test_a_part_that_is_already_whole(get: Get, site: Any) -> None:
    site.breaks = [1000, 0]
    with pytest.raises(WeaksegError):
        get(MD5, tries=1)
    part = next(iter(Path(get.args[1]).parent.glob("*.part")))  # type: ignore[attr-defined]
    part.write_bytes(CONTENT)
    assert get(MD5).path.read_bytes() == CONTENT
    part.with_name("file.bin").unlink()


def test_a_part_that_is_too_long_is_thrown_away(get: Get, site: Any, tmp_path: Path) -> None:
    site.breaks = [1000, 0]
    with pytest.raises(WeaksegError):
        get(tries=1)
    (tmp_path / "file.bin.part").write_bytes(CONTENT * 2)
    assert get().path.read_bytes() == CONTENT


def test_a_size_that_nobody_tells(get: Get, site: Any) -> None:
    site.length = False
    assert get().checked == "nothing"


def test_servers_that_are_busy_are_asked_again_and_others_not(get: Get, site: Any) -> None:
    site.status = [503, 503]
    assert get(MD5).path.read_bytes() == CONTENT
    site.asked.clear()
    with pytest.raises(WeaksegError, match="the server says HTTP 404"):
        fetching.fetch(f"{site.address}/other.bin", get.args[1].with_name("other.bin"), wait=0)  # type: ignore[attr-defined]
    assert len(site.asked) == 1


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(WeaksegError, match=r"127\.0\.0\.1:9/x: broke off after 0\.0 MB \(.*refused"):
        fetching.fetch("http://127.0.0.1:9/x", tmp_path / "x", tries=2, wait=0)


def test_files_that_are_there_are_kept(get: Get, site: Any, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert get(MD5) == fetching.Fetched(tmp_path / "file.bin", "MD5", kept=True)
    assert site.asked == []
    (tmp_path / "file.bin").write_bytes(b"mine")
    assert get().checked == "nothing"
    with pytest.raises(WeaksegError, match=rf"is there, but its MD5 is not {MD5}; remove it"):
        get(MD5)
    assert (tmp_path / "file.bin").read_bytes() == b"mine"


def test_a_full_disk_is_known_before(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(WeaksegError, match=r"0\.0 MB are to come, 0\.0 MB are free; choose another folder"):
        get(MD5)
