"""Whole runs of several processes: the masks of one, one that prints, and an end that is told and gone on from."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image
from safetensors.torch import load_file

import tiny
from weakseg.pipeline.rundir.run import Run

pytestmark = pytest.mark.slow

SAME = ["stages=[classify, localize, relate, refine, evaluate]", "backbone.batch_norm=frozen"]
SAME += ["classify.options.dropout=0.0", "refine.background.alpha=64", "refine.steps=[background, walk]"]
SAME += ["refine.walk.log2_steps=1"]
"""What makes the result independent of who has which photo: nothing drawn by the network, no batch statistics."""
COMMAND = [sys.executable, "-m", "weakseg"]
LIMIT = 400


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return tiny.write_photos(tmp_path_factory.mktemp("devices") / "photos")


@pytest.fixture(scope="module")
def alone(photos, tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    ended = tiny.weakseg(*tiny.run_arguments(photos, folder, *SAME))
    assert ended.code == 0, ended.err
    return folder


def together(*arguments):
    """A command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended(process, code=0):
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == code, err
    return out, err


def check_same(folder, other):
    """At most one pixel in 100,000 of the masks differs, and no weight by more than 1e-4."""
    for stage in ("classify", "relate"):
        one, two = (load_file(Run(run).weights_path(stage)) for run in (folder, other))
        assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-4
    names = sorted(path.name for path in (folder / "refine" / "masks").iterdir())
    assert names == sorted(f"{name}.png" for name in tiny.TRAIN)
    pairs = [[np.array(Image.open(run / "refine" / "masks" / name)) for run in (folder, other)] for name in names]
    assert sum(int((one != two).sum()) for one, two in pairs) <= sum(one.size for one, _ in pairs) / 1e5
    assert sum(len(np.unique(one)) > 1 for one, _ in pairs) == 3


def test_two_processes_make_the_masks_of_one(photos, alone, tmp_path):
    folder = tmp_path / "run"
    command = [*COMMAND, *tiny.run_arguments(photos, folder, *SAME, "hardware.devices=2")]
    _, err = ended(together(*command))
    assert err.count("stage 1 of 5, classify") == err.count("refine: ") // 2 == 1, err
    check_same(folder, alone)
    files = [{path.relative_to(run).as_posix() for path in run.rglob("*")} for run in (folder, alone)]
    assert files[0] ^ files[1] <= {"inputs.files.json"}  # of files that are some seconds old
    manifest = Run(folder).read_manifest()
    assert manifest["finished"]
    assert manifest["machine"]["devices"] == 2
    rows = [[(row["stage"], row["step"]) for row in Run(run).log.rows()] for run in (folder, alone)]
    assert rows[0] == rows[1]
    # And one process finds nothing left to do.
    assert tiny.weakseg(*tiny.run_arguments(photos, folder, *SAME)).err.count("done before, unchanged") == 5


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.timeout(900)  # five processes, one after the other, on a busy machine
def test_a_killed_process_ends_all_and_any_number_goes_on(photos, alone, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    arguments = tiny.run_arguments(photos, folder, *SAME)
    process = together(*COMMAND, *arguments, "hardware.devices=2")
    wait_for(folder / "classify" / "state.pt", process)
    ranks = psutil.Process(process.pid).children()
    assert {rank.environ()["RANK"] for rank in ranks} == {"0", "1"}
    next(rank for rank in ranks if rank.environ()["RANK"] == "1").kill()
    _, err = ended(process, code=1)
    assert not any(rank.is_running() for rank in ranks)
    again = shlex.join(["weakseg", *arguments, "hardware.devices=2"])
    assert err.splitlines()[-1] == (
        "weakseg: process 2 of 2 was ended by SIGKILL; out of memory?, and with it the run; what is done stays, "
        f"go on with: {again}"
    )
    assert "Traceback" not in err
    # One process goes on until it is killed, and two with what that has left.
    assert tiny.in_process(arguments, log, die_at=("relate/state.pt", 2)) == -signal.SIGKILL, log.read_text()
    assert Run(folder).record("classify")["done"]
    ended(together(*COMMAND, *arguments, "hardware.devices=2"))
    assert max(Run(folder).record(stage)["sessions"] for stage in ("classify", "localize", "relate")) == 2
    check_same(folder, alone)


def test_ctrl_c_ends_all_processes(photos, tmp_path):
    folder = tmp_path / "run"
    process = together(*COMMAND, *tiny.run_arguments(photos, folder, *SAME, "hardware.devices=2"))
    wait_for(folder / "classify" / "state.pt", process)
    ranks = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    _, err = ended(process, code=130)
    assert err.splitlines()[-1].startswith("weakseg: interrupted; what is done stays, go on with: weakseg run")
    assert "Traceback" not in err
    assert not any(rank.is_running() for rank in ranks)


def test_torchrun_starts_a_run_and_one_process_prints(photos, alone, tmp_path):
    folder = tmp_path / "run"
    command = [*COMMAND[:2], "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "weakseg"]
    out, err = ended(together(*command, *tiny.run_arguments(photos, folder, *SAME)))
    assert out.count("masks, maps, weights and manifest") == err.count("stage 5 of 5, evaluate") == 1, out + err
    check_same(folder, alone)


def test_srun_starts_a_run_and_one_process_prints(photos, tmp_path):
    """As srun does: a process per task, with what it tells each."""
    job = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "weakseg", "SLURM_NODELIST": "127.0.0.1", "SLURM_NODEID": "0"}
    job |= {"SLURM_NNODES": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2"}
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        job["MASTER_PORT"] = str(found.getsockname()[1])
    folder = tmp_path / "run"
    arguments = tiny.run_arguments(photos, folder, "stages=[classify, evaluate]")
    tasks = [
        together("env", *(f"{key}={value}" for key, value in own.items()), *COMMAND, *arguments)
        for own in (job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)} for rank in (0, 1))
    ]
    (out, err), silent = (ended(task) for task in tasks)
    assert "evaluate" in err
    assert "masks, maps, weights and manifest" in out
    assert silent == ("", "")
    assert Run(folder).read_manifest()["machine"]["devices"] == 2
