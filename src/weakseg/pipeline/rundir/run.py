"""The run directory: recipe, manifest, stage records, and the stages' outputs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.files import read_json, remove_temporary, replacing, write_json
from weakseg.recipes.loading import validate, validate_stored
from weakseg.recipes.recipe import Recipe
from weakseg.training.log import MetricsLog
from weakseg.training.train import WEIGHTS

RECIPE = "recipe.yaml"
CLASSES = "classes.json"
MANIFEST = "manifest.json"
RECORD = "stage.json"
OUTPUTS = "outputs.json"
REPORT = "report.html"
RESULTS = ("metrics.json", "pictures", REPORT)
"""What ``evaluate`` writes beside the stages' folders, and what is made of that for people to look at."""
KEPT_INPUTS = "inputs."
LOCK = ".lock"
LOG = "log.txt"


def digest(content: Any) -> str:
    """A short hash of anything that JSON can spell."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """The time as a manifest writes it (UTC, to the second)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Run:
    """A directory that holds one run."""

    folder: Path

    @property
    def log(self) -> MetricsLog:
        """Loss, learning rate and speed of every training stage."""
        return MetricsLog(self.folder / "metrics.jsonl")

    @property
    def manifest_path(self) -> Path:
        """Where the manifest is."""
        return self.folder / MANIFEST

    def stage_folder(self, stage: str) -> Path:
        """Where a stage writes."""
        return self.folder / stage

    def weights_path(self, stage: str) -> Path:
        """Where a stage's trained network is."""
        return self.stage_folder(stage) / WEIGHTS

    def record(self, stage: str) -> dict[str, Any]:
        """What is known of a stage: key, done, seconds, cpu_seconds, peak_memory_mib, sessions, summary.

        Empty if it never began.
        """
        return read_json(self.stage_folder(stage) / RECORD) or {}

    def is_done(self, stage: str, key: str) -> bool:
        """Whether the stage has ended with exactly these inputs."""
        record = self.record(stage)
        return bool(record.get("done")) and record.get("key") == key

    def is_finished(self, keys: Mapping[str, str]) -> bool:
        """Whether the run has ended with exactly these stages and keys."""
        manifest = read_json(self.manifest_path) or {}
        stages = {name: record["key"] for name, record in manifest.get("stages", {}).items()}
        return bool(manifest.get("finished")) and stages == keys and all(self.is_done(*item) for item in keys.items())

    def begin(self, stage: str, key: str) -> None:
        """Prepare a stage's folder: keep what an interrupted run with the same key left, else start afresh."""
        record = self.record(stage)
        if record.get("key") != key:
            # First of all: a kill in the middle must not leave a record of outputs that are gone.
            (self.stage_folder(stage) / RECORD).unlink(missing_ok=True)
            if self.stage_folder(stage).exists():
                shutil.rmtree(self.stage_folder(stage))  # an error ends the run: what stays would count as new
            record = {"key": key, "sessions": 0}
        record |= {"done": False, "sessions": record["sessions"] + 1}
        write_json(self.stage_folder(stage) / RECORD, record)

    def finish(self, stage: str, seconds: float, cpu_seconds: float, peak: int, summary: dict[str, Any]) -> None:
        """Mark a stage as done and drop its training state.

        Args:
            stage: its name.
            seconds: that it took.
            cpu_seconds: processor time of this process, over all threads; the fairer figure on a busy machine.
            peak: most memory in MiB that the process has held until now.
            summary: what it tells.
        """
        taken = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu_seconds, 2), "peak_memory_mib": peak}
        record = self.record(stage) | {"done": True, **taken, "ended": now(), "summary": summary}
        write_json(self.stage_folder(stage) / RECORD, record)
        (self.stage_folder(stage) / "state.pt").unlink(missing_ok=True)

    def drop_results(self) -> None:
        """Remove scores and pictures: they are of stages that are about to be done anew."""
        for name in RESULTS:
            _remove(self.folder / name)

    def clear(self) -> None:
        """Remove all that a run has left, for one that starts afresh; what is known of the photos stays."""
        for path in self.folder.iterdir():
            if path.name not in (LOCK, LOG) and not path.name.startswith(KEPT_INPUTS):
                _remove(path)

    def tidy(self, stages: Iterable[str]) -> None:
        """Remove what killed processes have left behind, once all stages are done."""
        remove_temporary(self.folder)
        for stage in stages:
            (self.stage_folder(stage) / "state.pt").unlink(missing_ok=True)

    def weights_hash(self, stage: str) -> str | None:
        """SHA-256 of the weights that a stage has trained; None before it ends."""
        path = self.weights_path(stage)
        return file_hash(path) if path.exists() else None

    def write_recipe(self, recipe: Recipe, text: str | None = None) -> None:
        """Keep the recipe that the run was last started with, as ``text`` where it is written with comments."""
        if text is None:
            text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
        with replacing(self.folder / RECIPE) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def read_recipe(self) -> Recipe:
        """The recipe of the run. Raises WeaksegError if this is no run directory."""
        path = self.folder / RECIPE
        if not path.is_file():
            raise WeaksegError(f"{self.folder}: no weakseg run (it has no {RECIPE}); make one with `weakseg run`")
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise WeaksegError(f"{path}: not readable as YAML; run the same `weakseg run` again to write it") from error
        return validate_stored(tree) if isinstance(tree, dict) else validate(tree)

    def write_classes(self, classes: Classes) -> None:
        """Keep the classes that the run is trained on."""
        write_json(self.folder / CLASSES, asdict(classes))

    def read_classes(self) -> Classes:
        """The classes that the run was trained on. Raises WeaksegError if there are none."""
        content = read_json(self.folder / CLASSES)
        if content is None:
            raise WeaksegError(f"{self.folder}: no {CLASSES}; is it the directory of a finished `weakseg run`?")
        palette = tuple((red, green, blue) for red, green, blue in content["palette"])
        return Classes(tuple(content["names"]), tuple(content["values"]), palette)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest. Raises WeaksegError if there is none."""
        manifest: dict[str, Any] | None = read_json(self.manifest_path)
        if manifest is None:
            raise WeaksegError(f"{self.folder}: no {MANIFEST}; is it the directory of a finished `weakseg run`?")
        return manifest

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process alone. Raises WeaksegError if another holds it.

        A run that is refused before it has begun leaves nothing: neither log nor directories that were made for it.
        """
        lock = FileLock(self.folder / LOCK, timeout=0)
        made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise WeaksegError(
                f"{self.folder}: another weakseg run is writing there; wait for it or choose another --out"
            ) from None
        except OSError as error:
            raise WeaksegError(f"{self.folder}: cannot write there ({error.strerror}); choose another --out") from error
        try:
            yield
        except WeaksegError:
            if not (self.folder / RECIPE).exists():
                self._withdraw(made)
            raise
        finally:
            lock.release()

    def _withdraw(self, made: Iterable[Path]) -> None:
        """Remove what a run writes before its recipe, and the directories that were made for it, deepest first."""
        with suppress(OSError):  # such as a directory that holds something else by now
            for path in self.folder.iterdir():
                if path.name in (LOCK, LOG) or path.name.startswith(KEPT_INPUTS):
                    path.unlink()
            for path in made:
                path.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def open_folder(folder: Path) -> Run:
    """A new or existing run directory. Raises WeaksegError if the folder holds something else."""
    if folder.is_file():
        raise WeaksegError(f"{folder}: is a file; --out must name a directory")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RECIPE).exists() and not (folder / LOCK).exists():
        raise WeaksegError(f"{folder}: holds files that are no weakseg run; choose an empty or new directory for --out")
    return Run(folder)
