"""Processes that are started together end together, and one line says why."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

import launched
from weakseg.errors import ProcessLostError, WeaksegError
from weakseg.training.launch import Started, check_shape, run_together, started

TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
SRUN = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_NUM_NODES": "3"}


def gone(folder, patience=20.0):
    """Whether the processes that have written their numbers into a folder end soon."""
    pids = [int(path.read_text().split()[1]) for path in folder.iterdir()]
    until = time.monotonic() + patience
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return len(pids) == 2 and not any(psutil.pid_exists(pid) for pid in pids)


def test_every_process_does_the_work_with_a_number_of_its_own(tmp_path):
    run_together(launched.tell, [tmp_path, "hello"], 2)
    assert {path.name: path.read_text().split()[0] for path in tmp_path.iterdir()} == {"0": "hello", "1": "hello"}


@pytest.mark.parametrize(
    ("how", "error", "line"),
    [
        ("refused", WeaksegError, "dog1.jpg: broken; mend it"),
        ("failed", ValueError, "no such thing"),
        ("killed", ProcessLostError, r"process 2 of 2 was ended by SIGKILL; out of memory\?"),
        ("left", ProcessLostError, "process 2 of 2 has ended with exit code 7"),
    ],
)
def test_what_ends_one_process_ends_all_and_is_told(tmp_path, how, error, line):
    with pytest.raises(error, match=f"^{line}$") as raised:
        run_together(launched.tell_and_wait, [tmp_path, how], 2)
    assert gone(tmp_path)
    if how == "failed":
        assert "launched.py" in str(raised.value.__cause__)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_has_started_them(tmp_path, number):
    command = f"import sys; sys.path[:] = {sys.path}; import launched; launched.start_waiting({str(tmp_path)!r})"
    command = command.replace("import launched", "from pathlib import Path; import launched", 1)
    command = command.replace(repr(str(tmp_path)), f"Path({str(tmp_path)!r})")
    # A shell's background jobs ignore Ctrl-C, and so would this process.
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL, preexec_fn=heeding) as process:
        while len(list(tmp_path.iterdir())) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
    assert gone(tmp_path)


def test_what_cannot_be_sent_is_named():
    with pytest.raises(WeaksegError, match=r"^hardware\.devices: the photos cannot be sent.*csv:photos\.csv$"):
        run_together(launched.tell, [lambda: None], 2)


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        (TORCHRUN, Started(rank=5, devices=4, nodes=2)),
        (TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, None),
        (SRUN, Started(rank=1, devices=2, nodes=3)),
        ({"SLURM_NTASKS": "6", "SLURM_PROCID": "0"}, None),  # the batch script itself
    ],
)
def test_a_process_knows_what_has_started_it(monkeypatch, environment, place):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert started() == place
    assert check_shape(1, 1) == ((place.devices, place.nodes) if place else (1, 1))


def test_settings_that_are_not_what_was_started_are_refused(monkeypatch):
    assert check_shape(2, 1) == (2, 1)
    with pytest.raises(WeaksegError, match=r"^hardware\.nodes=2: .*torchrun or srun"):
        check_shape(4, 2)
    for key, value in TORCHRUN.items():
        monkeypatch.setenv(key, value)
    assert check_shape(4, 2) == (4, 2)
    with pytest.raises(WeaksegError, match=r"^hardware\.devices=8 hardware\.nodes=1: 4 processes on 2 machines were"):
        check_shape(8, 1)
