"""Where the arithmetic runs."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from typing import Any

import torch
from lightning_fabric import Fabric

from weakseg.errors import WeaksegError

# malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def build_fabric(accelerator: str = "auto", devices: int = 1, precision: str = "32-true", threads: int = 0) -> Fabric:
    """Open the device.

    Args:
        accelerator: "auto", "cpu", "cuda" or "mps".
        devices: how many of them.
        precision: one of Fabric's, as "32-true", "bf16-mixed", "16-mixed".
        threads: CPU threads of torch; 0 keeps torch's choice.

    Raises:
        WeaksegError: if this machine has no such device.
    """
    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)  # type: ignore[arg-type]
        fabric.launch()
    except Exception as error:  # Fabric raises many types for the same mistake
        reason = str(error).splitlines()[0]
        raise WeaksegError(
            f"hardware: accelerator={accelerator} devices={devices} precision={precision} does not work here "
            f"({reason}); try hardware.accelerator=cpu hardware.devices=1 hardware.precision=32-true"
        ) from error
    return fabric


def keep_freed_memory() -> None:
    """Let the C allocator reuse large blocks instead of giving them back to the system (glibc; else nothing).

    A training step on the CPU allocates the same activations again and again. By default glibc maps and unmaps each
    of them, and clearing fresh pages costs a third of the step or more.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def peak_memory_mib() -> int:
    """Most memory that this process has held until now, in MiB; not that of a GPU."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes per unit of ru_maxrss
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20))


def describe(fabric: Fabric) -> dict[str, Any]:
    """The machine, as a manifest states it."""
    device = fabric.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": device.type,
        "name": name,
        "devices": fabric.world_size,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
