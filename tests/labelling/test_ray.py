"""`weakseg label --engine ray` on a cluster of this machine, of which a worker dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import labelled
from weakseg.errors import WeaksegError
from weakseg.labelling.engines import Workers
from weakseg.labelling.label import label
from weakseg.labelling.storage import Output

ray = pytest.importorskip("ray", reason="there is no Ray for this Python")

from weakseg.labelling import raycluster  # noqa: E402

PHOTOS, PART = 300, 10


@pytest.fixture
def cluster(monkeypatch):
    """Two cores, workers on one thread, as small as Ray can be."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # also the toy methods of other tests
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()


def kill_a_worker(out: Path, after: int, killed: list[int]) -> None:
    """Kill one of this process's own Ray actors once so many parts are done, in the middle of another."""
    while len(killed) == 0:
        time.sleep(0.02)
        if not (out / "index").is_dir() or len(list((out / "index").glob("*.parquet"))) < after:
            continue
        for process in psutil.Process().children(recursive=True):
            try:
                titled = process.cmdline()[:1]
            except psutil.Error:
                continue
            if titled and "MapWorker" in titled[0]:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)
                return


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dead_worker_loses_nothing_and_does_nothing_twice(lively_run, tmp_path, cluster):
    data, local, out = f"scenes:{PHOTOS}", tmp_path / "local", tmp_path / "ray"
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker, args=(out, PHOTOS // PART // 2, killed), daemon=True)
    killer.start()
    done = label(lively_run, data, str(out), engine="ray", split="train", part=PART, workers=Workers(threads=1))
    killer.join(10)
    assert len(killed) == 1
    assert not psutil.pid_exists(killed[0])
    rows = labelled.index(out)
    assert [row["id"] for row in rows] == [f"train_{number:06d}" for number in range(PHOTOS)]
    assert all(row["left_out"] is None for row in rows)
    assert (done.tally.masks, done.tally.left_out, done.before) == (PHOTOS, 0, 0)
    assert not (out / "trying").exists()
    here = label(lively_run, data, str(local), split="train", part=PART, workers=Workers(threads=1))
    assert labelled.files(out) == labelled.files(local)
    assert labelled.index(local) == rows
    assert here.tally == done.tally
    assert here.tally.empty < PHOTOS
    # Either engine goes on with what the other has left.
    (out / "index" / "000007.parquet").unlink()
    again = label(lively_run, data, str(out), split="train", part=PART, workers=Workers(threads=1))
    assert again.before == PHOTOS - PART
    assert labelled.index(out) == rows


def test_a_part_that_kills_its_workers_is_given_up(tmp_path):
    output, marker = Output(str(tmp_path)), tmp_path / "trying" / "000007"
    with raycluster._counted(output, 7):
        left_by_a_death = marker.read_bytes()
    assert left_by_a_death == b"1"
    assert not marker.exists()
    output.write("trying/000007", b"3")
    with raycluster._counted(output, 7):
        assert marker.read_bytes() == b"4"
    output.write("trying/000007", b"4")
    with pytest.raises(WeaksegError, match="part 7 has killed its worker 4 times"), raycluster._counted(output, 7):
        pass
    assert not marker.exists()  # the next call tries again


def test_workers_fit_the_cluster(monkeypatch):
    class Hardware:
        threads = 0

    class Recipe:
        hardware = Hardware()

    class Network:
        accelerator, recipe = "auto", Recipe()

    class Work:
        network, numbers, workers = Network(), range(100), Workers()

    class Ray:
        there = {"CPU": 8.0, "GPU": 2.0}  # noqa: RUF012

        def cluster_resources(self):
            return self.there

    work, there = Work(), Ray()
    assert raycluster._shares(there, work) == (2, 1, 1)  # one per GPU
    work.network.accelerator = "cpu"
    assert raycluster._shares(there, work) == (8, 1, 0)
    work.workers = Workers(threads=3)
    assert raycluster._shares(there, work) == (2, 3, 0)
    work.workers = Workers(count=3, threads=3)
    with pytest.raises(WeaksegError, match="3 workers of 3 threads do not fit: the Ray cluster has 8 cores; lower"):
        raycluster._shares(there, work)
