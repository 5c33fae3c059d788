"""IRNet's path affinity loss (forward and backward) beside its formulation that gathers every path, in one process.

python benchmarks/paths.py                 64 x 64, radius 5; 128 x 128, radius 10, batch 1 and 16
python benchmarks/paths.py --device cuda
python benchmarks/paths.py --cases 64,5,1 128,10,4

A case is side, radius, batch. Only the gathered form has index tensors; its peak counts them. Where it would take more
than --limit-gb it is not run: its peak is then computed from those of 1 and 2 images. "Max difference" is that of the
gradients from those of the gathered form (where it is not run, from those of weakseg's tensor operations), each as a
part of its largest value. The times are for all pairs of the batch, of which half have a label.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

import beside
import common
from weakseg.methods.affinitynet.affinity import PairLabels, affinity_loss
from weakseg.methods.irnet import path_loss
from weakseg.methods.irnet.paths import search_paths
from weakseg.ops.pairs import crop_window, pair_offsets

Case = tuple[int, int, int]
CASES = [(64, 5, 1), (128, 10, 1), (128, 10, 16)]


class Indices(NamedTuple):
    """Raster positions of all pairs, offsets in the order of their paths' lengths.

    Attributes:
        paths: one tensor (offsets, points, P) per length of path.
        source: (P,).
        target: (n, P).
        step: from source to target, (2, n, 1).
    """

    paths: list[Tensor]
    source: Tensor
    target: Tensor
    step: Tensor


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--cases", type=case_of, nargs="+", default=CASES, metavar="SIDE,RADIUS,BATCH")
    options.add_argument("--limit-gb", type=float, default=8, help="memory for the gathered form (default: 8)")
    args = common.parse(options)
    records: list[beside.Row] = []
    for case in args.cases:
        side, radius, batch = case
        rows = measure(case, args)
        title = f"path affinity loss, {batch} x {side} x {side}, radius {radius}"
        print(common.table(f"{title}, {args.threads} threads, {args.device}", rows), end="\n\n")
        records += [{"side": side, "radius": radius, "batch": batch, **row} for row in rows]
    print("wrote", common.write_json(args, "paths", records, packages=["numba"]))


def measure(case: Case, args: argparse.Namespace) -> list[beside.Row]:
    """The rows of one case: weakseg, then gathered."""
    side, radius, batch = case
    maps = tuple(part.to(args.device) for part in example(side, batch))
    indices = pair_indices(side, radius, args.device)
    held = sum(part.nbytes for part in (*indices.paths, indices.source, indices.target))
    needed = held + gathered_peak(side, batch, indices, args.device)
    calls: dict[str, Callable[[], Tensor]] = {"weakseg": partial(weakseg_gradients, *maps, radius)}
    runs = needed <= args.limit_gb * common.GB
    if runs:
        calls["gathered paths"] = partial(gathered_gradients, *maps, indices)
    exact = calls["gathered paths"]() if runs else operations_gradients(*maps, radius)
    rows = beside.compare(calls, exact=exact, repeats=args.repeats, device=args.device)
    if runs:
        rows[-1]["peak MB"] += held / common.MB
    else:
        rows.append(beside.computed("gathered paths (not run)", needed))
    count = batch * indices.target.numel()
    return [{"pairs": count, **row} for row in beside.ratios(rows)]


def gathered_peak(side: int, batch: int, indices: Indices, device: str) -> float:
    """Bytes that the gathered form adds at its peak: what it takes for 1 and for 2 images, continued to the batch."""
    peaks = []
    for count in (1, 2):
        call = partial(gathered_gradients, *(part.to(device) for part in example(side, count)), indices)
        call()
        peaks.append(common.peak_memory(call, device) * common.MB)
    return peaks[0] + (batch - 1) * (peaks[1] - peaks[0])


def case_of(text: str) -> Case:
    """Side, radius and batch of "SIDE,RADIUS,BATCH"."""
    side, radius, batch = map(int, text.split(","))
    return side, radius, batch


def example(side: int, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boundaries (N, h, w) without equal values (where the strongest is unique), displacements and labels."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(batch * side * side, generator=generator)
    boundary = (order.view(batch, side, side) + 0.5) / len(order)
    displacement = 3 * torch.randn(batch, 2, side, side, generator=generator)
    return boundary, displacement, common.label_patches(batch, side)


def weakseg_gradients(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int) -> Tensor:
    """Gradients of the loss, by `weakseg.methods.irnet.path_loss`."""
    boundary, displacement = boundary.detach().requires_grad_(), displacement.detach().requires_grad_()
    total(path_loss.path_loss(boundary, displacement, labels, radius)).backward()
    return joined(boundary, displacement)


def operations_gradients(boundary: Tensor, displacement: Tensor, labels: Tensor, radius: int) -> Tensor:
    """The same in tensor operations, whatever the device."""
    found = path_loss.terms(boundary, displacement, labels, radius, "crop")
    weights = found.counts.new_tensor([1 / 4, 1 / 4, 1 / 2]) / (found.counts + path_loss.EPSILON)
    pulls = 1 / 2 / (2 * found.counts[:2] + path_loss.EPSILON)
    slopes = (found.slopes * weights.view(1, 3, 1, 1)).sum(dim=1)
    return scaled(slopes, (found.shifts * pulls.view(1, 2, 1, 1, 1)).sum(dim=1))


def gathered_gradients(boundary: Tensor, displacement: Tensor, labels: Tensor, indices: Indices) -> Tensor:
    """All paths of all pairs gathered, their maxima, the labels and displacements: as docs/methods/irnet.md."""
    boundary, displacement = boundary.detach().requires_grad_(), displacement.detach().requires_grad_()
    edges, shifts, classes = boundary.flatten(1), displacement.flatten(2), labels.flatten(1)
    # The fastest of four ways on a CPU: max is quicker than amax, index_select here than edges[:, paths].
    strongest = [
        edges.index_select(1, paths.flatten()).view(-1, *paths.shape).max(dim=2).values for paths in indices.paths
    ]
    affinity = 1 - torch.cat(strongest, dim=1)
    source, target = classes[:, None, indices.source], classes[:, indices.target]
    known = (source != 255) & (target != 255)
    same = known & (source == target)
    pairs = PairLabels(same & (source == 0), same & (source != 0), known & (source != target))
    cut = affinity_loss(affinity, pairs)
    difference = shifts[:, :, None, indices.source] - shifts[:, :, indices.target]
    still = (difference.abs() * pairs.background[:, None]).sum() / (2 * pairs.background.sum() + 1e-5)
    moved = (difference - indices.step).abs() * pairs.foreground[:, None]
    total((*cut[1:], still, moved.sum() / (2 * pairs.foreground.sum() + 1e-5))).backward()
    return joined(boundary, displacement)


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum that IRNet trains on, of the five means of `weakseg.methods.irnet.path_loss.PathLoss`."""
    background, foreground, different, still, moved = terms
    return (background + foreground) / 4 + different / 2 + (still + moved) / 2


def joined(boundary: Tensor, displacement: Tensor) -> Tensor:
    """Both gradients, see `scaled`."""
    assert boundary.grad is not None
    assert displacement.grad is not None
    return scaled(boundary.grad, displacement.grad)


def scaled(*gradients: Tensor) -> Tensor:
    """Each as a part of its largest value, in one row."""
    return torch.cat([(gradient / gradient.abs().max()).flatten() for gradient in gradients])


def pair_indices(side: int, radius: int, device: str) -> Indices:
    """The positions of all pairs and paths on a square map."""
    grid = torch.arange(side * side).view(side, side)
    source = grid[crop_window((side, side), radius)].flatten()
    pairs = sorted(zip(search_paths(radius), pair_offsets(radius), strict=True), key=lambda pair: len(pair[0]))
    paths = []
    for _, group in groupby(pairs, key=lambda pair: len(pair[0])):
        steps = torch.tensor([[y * side + x for y, x in path] for path, _ in group])
        paths.append((steps[..., None] + source).to(device))
    step = torch.tensor([offset for _, offset in pairs])
    target = source + (step[:, :1] * side + step[:, 1:])
    return Indices(paths, source.to(device), target.to(device), step.T[..., None].to(device))


if __name__ == "__main__":
    main()
