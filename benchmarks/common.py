"""What the benchmarks share: options, fair timing, peak memory, the machine's description, table and JSON."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MB = 1 << 20
GB = 1 << 30
RESULTS = Path(__file__).parent / "results"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Build a parser with the options of every benchmark: --device, --threads, --repeats, --out; see `parse`."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default: cpu)")
    options.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="CPU threads (default: 2)")
    options.add_argument("--repeats", type=int, default=7, help="timed rounds; the median counts (default: 7)")
    options.add_argument("--out", type=Path, default=None, help="JSON file (default: benchmarks/results/NAME.json)")
    return options


def parse(options: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, refuse a device that is not there, set the threads."""
    args = options.parse_args()
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        options.error(
            f"--device {args.device}: PyTorch {torch.__version__} finds no GPU here; leave it out for the CPU"
        )
    torch.set_num_threads(args.threads)
    return args


def label_patches(batch: int, side: int) -> Tensor:
    """Label maps (N, side, side) of patches of 6 x 6: half of them unknown, the rest background or one of 2 classes."""
    kinds = torch.tensor([255, 255, 255, 0, 1, 2], dtype=torch.uint8)
    drawn = torch.randint(0, 6, (batch, -(-side // 6), -(-side // 6)), generator=torch.Generator().manual_seed(1))
    return kinds[drawn].repeat_interleave(6, dim=1).repeat_interleave(6, dim=2)[:, :side, :side]


def median_times(
    calls: Mapping[str, Callable[[], object]], *, repeats: int, device: str = "cpu"
) -> dict[str, dict[str, float]]:
    """Time several ways of one computation in turns, so that a busy moment of the machine hits all of them.

    Args:
        calls: name -> the computation. Each runs once untimed first (compilation, caches).
        repeats: timed rounds; every round runs every call once.
        device: where they run; a GPU is waited for before the clock is read.

    Returns:
        name -> {"median", "min", "max"} in seconds.
    """
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            taken[name].append(time.perf_counter() - start)
    return {name: {"median": statistics.median(t), "min": min(t), "max": max(t)} for name, t in taken.items()}


def peak_memory(call: Callable[[], object], device: str = "cpu") -> float:
    """Measure the memory that one call adds at its peak, in MB (2^20 bytes).

    On a GPU the allocator counts. On the CPU the resident set is sampled every millisecond (Linux only, else NaN),
    after what earlier calls freed has gone back to the system. Call once before, so that compilers do not count.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / MB
    if not Path("/proc/self/statm").exists():
        return float("nan")
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
    before = highest = _resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.001):
            highest = max(highest, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
        highest = max(highest, _resident())
    finally:
        done.set()
        watcher.join()
    return (highest - before) / MB


def machine(device: str, packages: Sequence[str] = ()) -> dict[str, Any]:
    """Describe what the numbers hold for: date, processor, device, threads and versions (no host name, no paths)."""
    versions = {"python": platform.python_version()}
    for package in ("weakseg", "torch", "numpy", *packages):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    if torch.device(device).type == "cuda":
        versions["cuda"] = torch.version.cuda or "none"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu",
        "versions": versions,
    }


def table(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Lay out rows (equal keys) as an aligned text table; floats get three significant digits."""
    header = list(rows[0])
    cells = [header, *([cell(row[key]) for key in header] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def cell(value: object) -> str:
    """A value as tables show it: floats with three significant digits, large ones as whole numbers."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_json(
    args: argparse.Namespace, name: str, rows: Sequence[Mapping[str, object]], packages: Sequence[str] = ()
) -> Path:
    """Write the rows with their settings and the machine to `args.out` or benchmarks/results/NAME.json.

    Args:
        args: of `parse`; all but ``out`` counts as settings (sizes, repeats ...).
        name: the benchmark's name.
        rows: what was measured.
        packages: whose versions matter, besides those that `machine` names.

    Returns:
        The file.
    """
    path: Path = args.out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "benchmark": name,
        "machine": machine(args.device, packages),
        "settings": {key: value for key, value in vars(args).items() if key != "out"},
        "rows": [dict(row) for row in rows],
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
