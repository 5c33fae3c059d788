import os

from weakseg.pipeline.rundir.contents import Contents, hash_of
from weakseg.pipeline.rundir.outputs import changes, record_outputs

OLD = 1_600_000_000_000_000_000


def aged(path, content, time=OLD):
    path.write_bytes(content)
    os.utime(path, ns=(time, time))
    return path


def test_a_change_of_equal_size_is_noticed(tmp_path):
    path, contents = aged(tmp_path / "a", b"one"), Contents()
    first = contents.of([path])[path]
    assert first == hash_of(path)
    aged(path, b"two", OLD + 1)
    assert contents.of([path])[path] != first
    assert contents.of([tmp_path / "none"])[tmp_path / "none"] is None


def test_a_file_that_changed_a_moment_ago_is_not_trusted(tmp_path):
    path, contents = tmp_path / "a", Contents()
    path.write_bytes(b"one")
    stat = path.stat()
    first = contents.of([path])[path]
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert contents.of([path])[path] != first


def test_the_cache_saves_reading(tmp_path, monkeypatch):
    path, contents = aged(tmp_path / "a", b"one"), Contents()
    found = contents.of([path])
    contents.save(tmp_path / "cache.json", [path])
    again = Contents()
    again.load(tmp_path / "cache.json")
    monkeypatch.setattr("weakseg.pipeline.rundir.contents.hash_of", lambda path: 1 / 0)
    assert again.of([path]) == found


def test_outputs_changed_from_outside_are_told_apart(tmp_path):
    for name in ("kept", "touched", "edited", "removed"):
        aged(tmp_path / name, b"one")
    aged(tmp_path / "stage.json", b"{}")
    record_outputs(tmp_path)
    assert changes(tmp_path) == type(changes(tmp_path))([], [], [])
    aged(tmp_path / "touched", b"one", OLD + 5)
    aged(tmp_path / "edited", b"two", OLD + 5)
    aged(tmp_path / "added", b"new")
    (tmp_path / "removed").unlink()
    found = changes(tmp_path)
    assert [[path.name for path in paths] for paths in (found.edited, found.missing, found.added)] == [
        ["edited"],
        ["removed"],
        ["added"],
    ]
