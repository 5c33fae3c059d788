"""How far expected IoUs can be believed, and what reviewing by them saves; from runs with ground truth.

python benchmarks/doubt.py runs/animals-auto runs/tiles-auto --name animals tiles --into docs/doubt.md

Two tables: rank correlation of expected and true IoU over all masks of tags and the calibration error (mean distance of
both over ten equal groups by expected IoU); and the true mIoU of the pseudo masks after the most doubtful photos have
been corrected, beside the mean of five random orders.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

import document
import weakseg
from tables import read
from weakseg.data.images import read_mask
from weakseg.data.sample import IGNORE
from weakseg.evaluation.expected import by_photo
from weakseg.evaluation.metrics import Scores
from weakseg.pipeline.masklist import read_mask_list

SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
ORDERS = 5
GROUPS = 10

Counts = NDArray[np.int64]


class Judged(NamedTuple):
    """A run's pseudo masks beside the ground truth.

    Attributes:
        names: of the classes.
        expected: IoU of each mask of a tag.
        true: the same, true.
        as_made: by photo, confusion matrix of its mask.
        corrected: by photo, that of a perfect mask.
        order: the photos with tags, the most doubtful first.
    """

    names: tuple[str, ...]
    expected: NDArray[np.float64]
    true: NDArray[np.float64]
    as_made: dict[str, Counts]
    corrected: dict[str, Counts]
    order: list[str]


def judge(folder: Path) -> Judged:
    """Read a run."""
    run, manifest = weakseg.open_run(folder), read(folder)
    classes, stage = run.classes, run.recipe.mask_stages[-1]
    listed = read_mask_list(folder / stage)
    samples = weakseg.open_data(manifest["data"]).splits[run.recipe.data.train]
    as_made, corrected, ious = {}, {}, {}
    for sample in samples:
        truth = classes.to_labels(sample.read_mask())
        mask = classes.to_labels(read_mask(folder / stage / "masks" / f"{sample.id}.png"))
        counted = truth != IGNORE
        truth, mask = truth[counted], mask[counted]
        count = len(classes) + 1
        as_made[sample.id] = np.bincount(truth.astype(int) * count + mask, minlength=count**2).reshape(count, count)
        corrected[sample.id] = np.diag(np.bincount(truth, minlength=count))
        for name in sample.tags:
            label = classes.names.index(name) + 1
            union = ((truth == label) | (mask == label)).sum()
            ious[sample.id, name] = ((truth == label) & (mask == label)).sum() / union if union else np.nan
    pairs = np.array([(each.iou, ious[each.id, each.name]) for each in listed])
    pairs = pairs[~np.isnan(pairs[:, 1])]
    order = [key for key, _ in sorted(by_photo(listed).items(), key=lambda item: item[1])]
    return Judged(classes.names, pairs[:, 0], pairs[:, 1], as_made, corrected, order)


def calibration_error(expected: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Mean distance of expected and true IoU over equal groups by expected IoU."""
    groups = np.array_split(np.argsort(expected, kind="stable"), GROUPS)
    return float(np.mean([abs(expected[group].mean() - true[group].mean()) for group in groups if len(group)]))


def reviewed(judged: Judged, order: list[str], share: float) -> float:
    """True mIoU after the first photos of an order have been corrected, in percent."""
    done = set(order[: round(share * len(order))])
    total = sum(judged.corrected[key] if key in done else judged.as_made[key] for key in judged.as_made)
    return 100 * Scores.from_confusion(judged.names, np.asarray(total)).miou_present


def written(folders: list[Path], names: list[str]) -> str:
    """Both tables and the line that says where the figures come from."""
    trust, saved = [], []
    for folder, name in zip(folders, names, strict=True):
        judged = judge(folder)
        rank = float(spearmanr(judged.expected, judged.true)[0])
        error = calibration_error(judged.expected, judged.true)
        means = (f"{judged.expected.mean():.2f}", f"{judged.true.mean():.2f}")
        trust.append((name, str(len(judged.true)), f"{rank:.2f}", *means, f"{error:.2f}"))
        random = np.random.default_rng(0)
        orders = [list(random.permutation(judged.order)) for _ in range(ORDERS)]
        saved.append(
            (name, "most doubtful first", *(f"{reviewed(judged, judged.order, share):.1f}" for share in SHARES))
        )
        means = [np.mean([reviewed(judged, order, share) for order in orders]) for share in SHARES]
        saved.append((name, "at random", *(f"{mean:.1f}" for mean in means)))
    first = read(folders[0])
    told = (
        "Pseudo masks of the training photos; mIoU in %, after that share of the photos with tags has been corrected; "
        f"at random: mean of {ORDERS} orders. {first['machine']['name']}, seed {first['seed']}, "
        f"weakseg {first['weakseg']}, {first['finished'][:10]}."
    )
    heads = ("data", "masks of a tag", "rank correlation", "mean expected IoU", "mean true IoU", "calibration error")
    order = ("data", "order", *(f"{100 * share:.0f} %" for share in SHARES))
    return f"{document.table(heads, trust)}\n\n{document.table(order, saved, texts=2)}\n\n{told}"


def main() -> None:
    """Print the tables, or put them between their marks in a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("runs", nargs="+", type=Path, help="directories of finished runs with ground truth")
    options.add_argument("--name", nargs="+", help="of the data sets, in order")
    options.add_argument("--into", type=Path, help="file with <!-- table:doubt --> and <!-- end -->")
    given = options.parse_args()
    names = given.name or [run.name for run in given.runs]
    document.publish(written(given.runs, names), "doubt", given.into)


if __name__ == "__main__":
    document.command(main)
