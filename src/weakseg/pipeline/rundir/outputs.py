"""What the stages of a run wrote, so that changes from outside are seen before anything is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weakseg.errors import WeaksegError
from weakseg.files import TEMPORARY, read_json, write_json
from weakseg.pipeline.rundir.contents import hash_of
from weakseg.pipeline.rundir.run import OUTPUTS, RECORD, Run

_NOT_OUTPUTS = (RECORD, OUTPUTS, "state.pt")


@dataclass(frozen=True)
class Changes:
    """How a stage's folder differs from what the stage left there; paths.

    Attributes:
        edited: of other content.
        missing: not there any more.
        added: that the stage did not write.
    """

    edited: list[Path]
    missing: list[Path]
    added: list[Path]


def record_outputs(folder: Path) -> None:
    """Write down size, time and hash of every file that a stage has written."""
    found = {}
    for path in _files(folder):
        stat = path.stat()
        found[path.relative_to(folder).as_posix()] = [stat.st_size, stat.st_mtime_ns, hash_of(path)]
    write_json(folder / OUTPUTS, found)


def changes(folder: Path) -> Changes:
    """What was changed in a stage's folder since ``record_outputs``; nothing where that was never called.

    A file whose size and time are as they were counts as unchanged; else its content decides.
    """
    recorded: dict[str, tuple[int, int, str]] | None = read_json(folder / OUTPUTS)
    if recorded is None:
        return Changes([], [], [])
    edited: list[Path] = []
    missing: list[Path] = []
    for name, (size, changed, digest) in recorded.items():
        path = folder / name
        try:
            stat = path.stat()
        except OSError:
            missing.append(path)
            continue
        if (stat.st_size, stat.st_mtime_ns) != (size, changed) and (stat.st_size != size or hash_of(path) != digest):
            edited.append(path)
    added = [path for path in _files(folder) if path.relative_to(folder).as_posix() not in recorded]
    return Changes(edited, missing, added)


def check_outputs(run: Run, stages: Sequence[str], keys: dict[str, str]) -> list[str]:
    """Refuse to go on where outputs of finished stages were changed from outside.

    Args:
        run: the directory.
        stages: those of the recipe.
        keys: of the stages; what a stage of another key left is going to be removed.

    Returns:
        The stages some of whose outputs were removed: they are to make them again.

    Raises:
        WeaksegError: a file was edited, or lies where it is going to be removed, with the ways out.
    """
    touched: list[Path] = []
    incomplete: list[str] = []
    for stage in stages:
        if not run.record(stage).get("done"):
            continue
        found = changes(run.stage_folder(stage))
        touched += found.edited
        if run.is_done(stage, keys[stage]):
            incomplete += [stage] if found.missing else []
        else:
            touched += found.added
    if touched:
        others = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
        raise WeaksegError(
            f"{touched[0]}{others}: changed after this run wrote it; the run would ignore the change or destroy it. "
            "Copy it elsewhere and delete it here to have it made again, or start afresh with --overwrite"
        )
    return incomplete


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _NOT_OUTPUTS and not path.name.endswith(TEMPORARY)
    ]
