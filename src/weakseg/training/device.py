"""Where the arithmetic runs."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import psutil
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from weakseg.errors import WeaksegError
from weakseg.training.launch import check_shape, started

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PATIENCE = timedelta(days=7)
"""How long processes wait for one that works alone, such as to score."""
# malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def build_fabric(accelerator: str = "auto", precision: str = "32-true", threads: int = 0) -> Fabric:
    """Open one device.

    Args:
        accelerator: "auto", "cpu", "cuda" or "mps".
        precision: one of Fabric's, as "32-true", "bf16-mixed", "16-mixed".
        threads: CPU threads of torch; 0 keeps torch's choice.

    Raises:
        WeaksegError: if this machine has no such device.
    """
    return _opened(accelerator, precision, threads, devices=1)


def join_fabric(accelerator: str, devices: int, nodes: int, precision: str, threads: int = 0) -> Fabric:
    """Open this process's device among those of a run, and meet the processes of the others.

    Args:
        accelerator: as for `build_fabric`.
        devices: of a machine; these and ``nodes`` may be 1 where torchrun or srun has started the processes.
        nodes: machines.
        precision: as for `build_fabric`.
        threads: CPU threads of each process; 0 for an equal part of the cores.

    Raises:
        WeaksegError: a machine has not so many devices, or other processes than these were started.
    """
    devices, nodes = check_shape(devices, nodes)
    if devices * nodes == 1:
        return build_fabric(accelerator, precision, threads)
    if started() is None:
        raise WeaksegError(
            f"hardware.devices={devices}: this is one process; weakseg.run and `weakseg run` start as many"
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    strategy = DDPStrategy(
        timeout=PATIENCE,
        # What is agreed upon beside the gradients is on the CPU.
        process_group_backend="cpu:gloo,cuda:nccl" if accelerator != "cpu" and torch.cuda.is_available() else "gloo",
        find_unused_parameters=True,  # a warm-up leaves some out
    )
    return _opened(accelerator, precision, threads, devices=devices, num_nodes=nodes, strategy=strategy)


def _opened(accelerator: str, precision: str, threads: int, **options: Any) -> Fabric:
    keep_freed_memory()
    try:
        fabric = Fabric(accelerator=accelerator, precision=precision, **options)  # type: ignore[arg-type]
        fabric.launch()
    except Exception as error:  # Fabric raises many types for the same mistake
        reason = str(error).splitlines()[0]
        raise WeaksegError(
            f"hardware: accelerator={accelerator} devices={options['devices']} precision={precision} does not work "
            f"here ({reason}); try hardware.accelerator=cpu hardware.devices=1 hardware.precision=32-true"
        ) from error
    if threads:
        torch.set_num_threads(threads)
    return fabric


def keep_freed_memory() -> None:
    """Let the C allocator reuse large blocks instead of giving them back to the system (glibc; else nothing).

    A training step on the CPU allocates the same activations again and again. By default glibc maps and unmaps each
    of them, and clearing fresh pages costs a third of the step or more.
    """
    _allocator(largest=1 << 30, kept=(1 << 31) - 1)


@contextmanager
def giving_back_memory() -> Iterator[None]:
    """Let the C allocator give large blocks back at once, for work of many sizes: kept, they would add up."""
    _allocator(largest=1 << 25, kept=1 << 26)
    try:
        yield
    finally:
        keep_freed_memory()


def trim_memory() -> None:
    """Give what is free between the blocks in use back to the system (glibc; else nothing)."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _allocator(*, largest: int, kept: int) -> None:
    """Say from which size on blocks are given back when freed, and how much may stay at the heap's end; in bytes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library, or none
        return
    mallopt(M_MMAP_THRESHOLD, largest)
    mallopt(M_TRIM_THRESHOLD, kept)


def peak_memory_mib() -> int:
    """Most memory that this process has held until now, in MiB; not that of a GPU."""
    if resource is None:  # Windows
        return round(psutil.Process().memory_info().peak_wset / (1 << 20))
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
