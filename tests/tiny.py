"""A recipe, a photo set and a process, all as small as can be: for tests that run whole commands."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

OVERLAY = """
backbone: &network {name: test_resnet, weights: none, output_stride: 16, dilation: false, batch_norm: train}
classify:
  options: {dropout: 0.5, frozen_levels: 0}
  augment: {crop: 64, long_side: [48, 96], jitter: null}
  train: {epochs: 3, batch_size: 4, lr: 0.01, momentum: 0.9}
localize: {scales: [1.0, 0.5], stride: 8}
relate:
  affinitynet:
    radius: 3
    levels: 2
    widths: [4, 8]
    augment: {crop: 64, jitter: null}
    train: {epochs: 3, batch_size: 4, lr: 0.01, momentum: 0.9}
  irnet:
    radius: 3
    canvas: photo
    augment: {crop: 64}
    train: {epochs: 3, batch_size: 4, lr: 0.01, momentum: 0.9}
selftrain:
  augment: {crop: 64, scale: [0.5, 1.0]}
  train: {epochs: 3, batch_size: 4, lr: 0.01, momentum: 0.9}
  views: {scales: [0.5], flip: false}
segment:
  network: deeplabv3plus
  backbone: *network
  augment: {crop: 64, scale: [0.5, 1.0]}
  train: {epochs: 3, batch_size: 4, lr: 0.01, momentum: 0.9}
predict: {scales: [0.5], flip: false, crf: null}
hardware: {accelerator: cpu, threads: 1, checkpoint_seconds: 0}
"""
"""Over any recipe that is shipped. The network learns nothing in these steps, and need not."""

CLASSES = {"cat": 8, "cow": 10, "dog": 12}
"""The classes of `write_photos` and their values on disk, which are VOC's."""

TRAIN = {
    "p0": "cat",
    "p1": "cow",
    "p2": "dog",
    "p3": "",
    "p4": "cat dog",
    "p5": "cow",
    "p6": "cat cow dog",
    "p7": "dog",
    "deep.name": "cow",
}
VAL = {"v0": "cat", "v1": "cow dog", "v2": "dog"}
SIZES = [(64, 48), (50, 75), (81, 60), (48, 48), (96, 40), (61, 61)]
UNTAGGED = "p3"

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["weakseg.report.run", "weakseg.report.listing"])


def write_overlay(folder: Path) -> Path:
    """The overlay as a file."""
    path = folder / "tiny.yaml"
    path.write_text(OVERLAY, encoding="utf-8")
    return path


AUTO = [
    "classify.method=cam",
    "localize.background.rule=power",
    "refine.background.rule=power",
    "refine.background.alpha=64",
    "refine.steps=[background]",
]
"""Over auto: with so little training SIPE finds nothing."""


def overrides() -> list[str]:
    """The overlay as ``key.path=value`` texts."""

    def flat(tree: dict[str, Any], path: str) -> Iterator[str]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{path}{key}.")
            else:
                yield f"{path}{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"

    return list(flat(yaml.safe_load(OVERLAY), ""))


def write_photos(root: Path) -> Path:
    """Nine training and three validation photos in VOC layout, each with a bright box per tag; p3 has no tag.

    Returns:
        ``root``, to be opened as ``voc:ROOT``.
    """
    tags = TRAIN | VAL
    for name, text in {"tags.csv": _table(tags), **_lists()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for number, (name, names) in enumerate(tags.items()):
        image, mask = _picture(number, names.split())
        _save(root / "JPEGImages" / f"{name}.jpg", image)
        _save(root / "SegmentationClassAug" / f"{name}.png", mask)
    return root


def run_arguments(data: Path | str, out: Path, *more: str, recipe: str = "affinitynet") -> list[str]:
    """The arguments of a tiny ``weakseg run``; the overlay is written beside ``out``."""
    spec = data if isinstance(data, str) else f"voc:{data}"
    return ["run", recipe, "--with", str(write_overlay(out.parent)), "--data", spec, "--out", str(out), *more]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def weakseg(*arguments: object) -> Ended:
    """Run a command of the command line in this process."""
    from weakseg.cli.app import main

    out, err, before, code = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = ["weakseg", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before
    return Ended(code, out.getvalue(), err.getvalue())


def error_line(ended: Ended) -> str:
    """The one line of a failed command; progress may stand before it."""
    lines = [line for line in ended.err.splitlines() if line.startswith("weakseg: ")]
    assert ended.code == 2, ended
    assert len(lines) == 1, ended.err
    assert ended.err.endswith(f"{lines[0]}\n"), ended.err
    assert "Traceback" not in ended.err
    return lines[0]


def in_process(arguments: Sequence[str], log: Path, *, die_at: tuple[str, int] | None = None, limit: int = 0) -> int:
    """Run a command in a process of its own, which the kernel may kill.

    Args:
        arguments: of ``weakseg``.
        log: takes what it prints.
        die_at: (text, n): kill -9 just before the n-th file, from 1, whose path holds the text is put in place or
            removed.
        limit: no file may grow beyond so many bytes, as on a full disk; 0 for no limit.

    Returns:
        Its exit code, negative for a signal.
    """
    process = FORKS.Process(target=_child, args=(list(arguments), log, die_at, limit))
    process.start()
    process.join(120)
    assert process.exitcode is not None, f"{arguments} hangs"
    return process.exitcode


def _child(arguments: list[str], log: Path, die_at: tuple[str, int] | None, limit: int) -> None:
    import resource

    from weakseg.cli.app import main

    # Not closed: a traceback that nobody caught must find its way there too.
    sys.stdout = sys.stderr = log.open("a", buffering=1, encoding="utf-8")
    sys.argv = ["weakseg", *arguments]
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if die_at:
        _die(*die_at)
    main()


def _die(text: str, count: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event not in ("os.rename", "os.remove", "shutil.rmtree"):
            return
        seen += text in str(arguments[1] if event == "os.rename" else arguments[0])
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _table(tags: dict[str, str]) -> str:
    return "".join(f"{name},{names}\n" for name, names in {"image": "tags", **tags}.items())


def _lists() -> dict[str, str]:
    folder = "ImageSets/Segmentation"
    return {f"{folder}/train.txt": "\n".join(TRAIN) + "\n", f"{folder}/val.txt": "\n".join(VAL) + "\n"}


def _picture(number: int, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    width, height = SIZES[number % len(SIZES)]
    image = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), dtype=np.uint8)
    for slot, name in enumerate(names):
        box = (slice(height // 4, height * 3 // 4), slice(3 + slot * width // 3, slot * width // 3 + width // 3 - 2))
        image[box][..., list(CLASSES).index(name)] = 250
        mask[box] = CLASSES[name]
    mask[:2] = 255
    return image, mask


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
