"""How many photos `weakseg label` labels a second, by engine and workers, and what ten million photos take at that.

python benchmarks/label.py runs/animals-auto voc:voc-animals --split val --into docs/scale.md
python benchmarks/label.py runs/animals-auto voc:voc-animals --engines ray --workers 1 2 4 --threads 2

The rate is that of the parts after the first round, from the times of their files of the index: reading, network and
writing, without the start. Take photos on disk: to draw the pictures of scenes takes longer than to read files.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

import common
import document
from tables import read
from weakseg.errors import WeaksegError
from weakseg.labelling.engines import Workers
from weakseg.labelling.label import ENGINES, label
from weakseg.training.progress import quietly

MANY = 10_000_000
MACHINES = (1, 10, 100)
HEADINGS = ("engine", "workers", "threads of each", "photos/s", "photos/s and core", "start, s")


@dataclass(frozen=True)
class Measured:
    """A rate.

    Attributes:
        engine: that did the work.
        workers: how many.
        threads: of each.
        photos: that it did.
        rate: photos a second after the first round of parts.
        start: seconds that are not explained by the rate.
    """

    engine: str
    workers: int
    threads: int
    photos: int
    rate: float
    start: float

    @property
    def cores(self) -> int:
        """That were kept busy."""
        return min(self.workers * self.threads, os.cpu_count() or 1)

    def row(self) -> tuple[str, ...]:
        """As the table has it."""
        figures = (f"{self.rate:.2f}", f"{self.rate / self.cores:.2f}", f"{self.start:.0f}")
        return self.engine, str(self.workers), str(self.threads), *figures


def measure(run: Path, data: str, split: str | None, engine: str, workers: int, threads: int, part: int) -> Measured:
    """Label photos into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, quietly():
        start = time.time()
        chosen = Workers(workers, threads)
        done = label(run, data, folder, engine=engine, split=split, part=part, workers=chosen)
        times = sorted(path.stat().st_mtime for path in Path(folder, "index").iterdir())
    count = done.tally.photos
    if len(times) < 2 * workers + 1:
        raise WeaksegError(f"{count} photos are too few for {workers} workers and parts of {part}; lower --part")
    rate = (count - workers * part) / (times[-1] - times[workers - 1])
    return Measured(engine, workers, threads, count, rate, times[-1] - start - count / rate)


def time_text(hours: float) -> str:
    """A span as people say it."""
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h"


def written(found: Sequence[Measured], run: Path, data: str, cores: int) -> str:
    """Both tables, and the lines that say where their figures come from and what they assume."""
    manifest, machine = read(run), common.machine("cpu", ["ray", "pyarrow"])
    # What machines of many cores do is nearest to what most workers did here, all cores busy.
    busiest = max(found, key=lambda each: (each.workers, each.cores))
    rate = busiest.rate / busiest.cores * cores
    settings = manifest["settings"]
    backbone = settings["segment"]["backbone"] or settings["backbone"]
    network = f"{settings['segment']['network']} on {backbone['name']}"
    looks = settings["predict"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("weakseg", "torch", "ray"))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    told = (
        f"{busiest.photos} photos of `{data}`, `{network}`, scales {looks['scales']}, "
        f"flip {str(looks['flip']).lower()}, working size {settings['data']['long_side']}. {machine['processor']}, "
        f"{machine['cores']} cores, {gpu}; seed {manifest['seed']}, {versions}, {datetime.now(UTC).date().isoformat()}."
    )
    costs = [
        (str(count), f"{rate * count:.1f}", time_text(MANY / rate / count / 3600), f"{MANY / rate / 3600:.1f}")
        for count in MACHINES
    ]
    cost = document.table((f"machines of {cores} cores", "photos/s", "time", "machine-hours"), costs)
    assumed = (
        f"Computed, not measured, from {busiest.rate / busiest.cores:.2f} photos a second and core ({busiest.engine}, "
        f"{busiest.workers} workers): {MANY:,} photos of the same kind, a rate that grows linearly with cores and "
        "machines, and file systems that keep up."
    )
    table = document.table(HEADINGS, [each.row() for each in found])
    return f"{table}\n\n{told}\n\n{cost}\n\n{assumed}"


def main() -> None:
    """Measure, and print the tables or put them between their marks in a file."""
    cores = os.cpu_count() or 1
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="directory of a finished run")
    options.add_argument("data", help="photos, as of `weakseg label`")
    options.add_argument("--split", help="of the data, this one alone")
    options.add_argument("--part", type=int, default=10, help="photos done together (default: 10)")
    options.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    options.add_argument("--workers", type=int, nargs="+", default=[1, cores], help="of ray (default: 1 and all cores)")
    options.add_argument("--threads", type=int, default=1, help="of each worker of ray; local has all cores too")
    options.add_argument("--cores", type=int, default=64, help="of a machine in the second table (default: 64)")
    options.add_argument("--into", type=Path, help="file with <!-- table:label --> and <!-- end -->")
    given = options.parse_args()
    cases = {("local", 1, threads) for threads in (1, cores) if "local" in given.engines}
    cases |= {("ray", workers, given.threads) for workers in given.workers if "ray" in given.engines}
    found = [measure(given.run, given.data, given.split, *case, given.part) for case in sorted(cases)]
    document.publish(written(found, given.run, given.data, given.cores), "label", given.into)


if __name__ == "__main__":
    document.command(main)
