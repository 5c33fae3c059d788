"""Starting the processes that share a run, and how torchrun and srun tell theirs who they are.

The process that starts them is none of them. It ends all when one ends badly, and raises what that one has raised.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weakseg.errors import ProcessLostError, WeaksegError
from weakseg.files import replacing

POLL_SECONDS = 0.05
REQUEST = "request.pickle"


@dataclass(frozen=True)
class Started:
    """This process among those that torchrun, srun or `run_together` has started.

    Attributes:
        rank: its number.
        devices: processes of a machine.
        nodes: machines.
    """

    rank: int
    devices: int
    nodes: int


def started() -> Started | None:
    """Which of several processes this is; None where it is the only one."""
    known = os.environ
    if "TORCHELASTIC_RUN_ID" in known:  # torchrun
        rank, world, nodes = known["RANK"], int(known["WORLD_SIZE"]), None
        devices = int(known["LOCAL_WORLD_SIZE"])
    elif "SLURM_STEP_NUM_TASKS" in known:  # srun; not a batch script, which is one process whatever its job's tasks
        rank, world, nodes = (
            known["SLURM_PROCID"],
            int(known["SLURM_STEP_NUM_TASKS"]),
            known.get("SLURM_STEP_NUM_NODES"),
        )
        devices = world // int(nodes or 1)
    else:
        return None
    return Started(int(rank), devices, world // devices) if world > 1 else None


def check_shape(devices: int, nodes: int) -> tuple[int, int]:
    """Devices of a machine and machines: as they were started, or else as the settings say.

    Raises:
        WeaksegError: the settings name other numbers, or several machines that nobody has started processes on.
    """
    here = started()
    if here is None:
        if nodes > 1:
            raise WeaksegError(
                f"hardware.nodes={nodes}: one process alone cannot start those of other machines; start weakseg with "
                "torchrun or srun on each (docs/devices.md)"
            )
        return devices, nodes
    if (devices, nodes) not in ((1, 1), (here.devices, here.nodes)):
        raise WeaksegError(
            f"hardware.devices={devices} hardware.nodes={nodes}: {here.devices} processes on {here.nodes} machines "
            "were started; leave these settings out, or start as many"
        )
    return here.devices, here.nodes


def run_together(work: Callable[..., object], arguments: Sequence[Any], processes: int) -> None:
    """Call a function in several processes of this machine at once, and wait for them.

    They see the environment that torchrun gives its processes. Each ends with this one, however this one ends.

    Args:
        work: a function of a module; what it returns is dropped.
        arguments: for each of them the same.
        processes: how many.

    Raises:
        WeaksegError: arguments that cannot be sent to another process.
        ProcessLostError: one was ended from outside.
        Exception: what the first to fail has raised; its traceback is the cause.
    """
    with tempfile.TemporaryDirectory(prefix="weakseg-") as name:
        folder = Path(name)
        _write_request(folder / REQUEST, work, arguments)
        port = _free_port()
        ranks: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(processes):
                ranks.append(_start(folder, rank, processes, port))
            codes = [rank.poll() for rank in ranks]
            while None in codes and not any(codes):
                time.sleep(POLL_SECONDS)
                codes = [rank.poll() for rank in ranks]
        finally:
            for process in ranks:
                _end(process)
        if any(codes):
            raise _reason(folder, codes)


def _write_request(path: Path, work: Callable[..., object], arguments: Sequence[Any]) -> None:
    try:
        # The path first, apart: what follows is found by it.
        parts = pickle.dumps(sys.path) + pickle.dumps((work, tuple(arguments)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise WeaksegError(
            f"hardware.devices: the photos cannot be sent to other processes ({error}); name their source by a text, "
            "as csv:photos.csv"
        ) from error
    path.write_bytes(parts)


def _start(folder: Path, rank: int, processes: int, port: int) -> subprocess.Popen[bytes]:
    own = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "GROUP_RANK": 0,
        "WORLD_SIZE": processes,
        "LOCAL_WORLD_SIZE": processes,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "TORCHELASTIC_RUN_ID": "weakseg",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "weakseg.training.worker", str(folder)],
        env={"TORCH_CPP_LOG_LEVEL": "ERROR"} | os.environ | {key: str(value) for key, value in own.items()},
        stdin=subprocess.PIPE,  # never written to: it closes when this process ends
        stdout=2,  # standard output is for the result alone
        start_new_session=True,  # Ctrl-C reaches this process, which ends them
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that load photos for it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _reason(folder: Path, codes: Sequence[int | None]) -> Exception:
    """Why the processes have failed, by the one that was the first to; the others have only missed it."""
    count = len(codes)
    for rank, code in enumerate(codes):
        if code is not None and code < 0 and code != -signal.SIGABRT:
            name = signal.Signals(-code).name
            memory = "; out of memory?" if name == "SIGKILL" else ""
            return ProcessLostError(f"process {rank + 1} of {count} was ended by {name}{memory}")
    told = sorted(folder.glob("error-*"), key=lambda path: path.stat().st_mtime_ns)
    errors: list[Exception] = [pickle.loads(path.read_bytes()) for path in told]
    errors.sort(key=lambda error: isinstance(error, ProcessLostError))
    if errors:
        return errors[0]
    rank, code = next((rank, code) for rank, code in enumerate(codes) if code)
    return ProcessLostError(f"process {rank + 1} of {count} has ended with exit code {code}")


def write_error(folder: Path, rank: int, packed: bytes) -> None:
    """Leave what a process has raised, pickled, for the one that started it."""
    with replacing(folder / f"error-{rank}") as temporary:
        temporary.write_bytes(packed)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
