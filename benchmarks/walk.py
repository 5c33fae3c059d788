"""The random walk beside repeated squaring of the dense matrix, as the authors' code does it, in one process.

python benchmarks/walk.py                  47 x 63 in full; 94 x 125 with one squaring timed, times log2(steps)
python benchmarks/walk.py --device cuda
python benchmarks/walk.py --sizes 47x63 94x125 375x500       the last is a photo of 2000 x 1500 at stride 4

The dense walk is run at the first size; at the others one squaring is timed, where its two matrices fit in --limit-gb,
else only their memory is computed. "Max difference" is from as many single steps in double precision.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

import beside
import common
from weakseg.methods.affinitynet.affinity import feature_affinity
from weakseg.ops.pairs import pair_windows
from weakseg.ops.random_walk import random_walk


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--sizes", type=size_of, nargs="+", default=[(47, 63), (94, 125)], metavar="HxW")
    options.add_argument("--classes", type=int, default=3)
    options.add_argument("--radius", type=int, default=5)
    options.add_argument("--beta", type=float, default=8)
    options.add_argument("--log2-steps", type=int, default=8)
    options.add_argument("--limit-gb", type=float, default=8, help="memory for dense matrices (default: 8)")
    args = common.parse(options)
    records: list[beside.Row] = []
    for size in args.sizes:
        rows = beside.ratios(measure(size, size == args.sizes[0], args))
        title = f"{size[0]} x {size[1]}, {args.classes} classes, radius {args.radius}, {2**args.log2_steps} steps"
        print(common.table(f"{title}, {args.threads} threads, {args.device}", rows), end="\n\n")
        records += [{"height": size[0], "width": size[1], **row} for row in rows]
    print("wrote", common.write_json(args, "walk", records))


def measure(size: tuple[int, int], in_full: bool, args: argparse.Namespace) -> list[beside.Row]:
    """The rows of one size: weakseg, then dense."""
    walk = {"radius": args.radius, "beta": args.beta, "log2_steps": args.log2_steps}
    scores, stencil = (part.to(args.device) for part in case(args.classes, size, args.radius))
    calls = {"weakseg": partial(random_walk, scores, stencil, **walk)}
    if in_full:
        calls["dense"] = partial(dense_walk, scores, stencil, **walk)
    exact = single_steps(scores.cpu(), stencil.cpu(), **walk)
    rows = beside.compare(calls, exact=exact, repeats=args.repeats, device=args.device)
    needed = 2 * 4 * (size[0] * size[1]) ** 2
    if not in_full and needed <= args.limit_gb * common.GB:
        rows.append(dense_estimate(transition(stencil, args.radius, args.beta), args.log2_steps, args.device))
    elif not in_full:
        rows.append(beside.computed("dense (not run, two matrices)", needed))
    return rows


def size_of(text: str) -> tuple[int, int]:
    """Height and width of "HxW"."""
    height, width = map(int, text.split("x"))
    return height, width


def case(classes: int, size: tuple[int, int], radius: int) -> tuple[Tensor, Tensor]:
    """Scores (K, h, w) in [0, 1] and affinities (n, h, w) of patchy random features."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(1, 32, -(-size[0] // 8), -(-size[1] // 8), generator=generator)
    features = F.interpolate(patches, size, mode="bilinear") + 0.1 * torch.randn(1, 32, *size, generator=generator)
    return torch.rand(classes, *size, generator=generator), feature_affinity(features / 2, radius)[0]


def dense_walk(scores: Tensor, stencil: Tensor, radius: int, beta: float, log2_steps: int) -> Tensor:
    """docs/methods/affinitynet.md, "Random walk": M T^(2^t) with T squared t times."""
    power = transition(stencil, radius, beta)
    for _ in range(log2_steps):
        power = power @ power
    return (scores.flatten(1) @ power).view_as(scores)


def transition(stencil: Tensor, radius: int, beta: float) -> Tensor:
    """The dense T = A^beta / column sums (h w, h w)."""
    size = (stencil.shape[-2], stencil.shape[-1])
    grid = torch.arange(size[0] * size[1], device=stencil.device).view(size)
    affinity = torch.eye(grid.numel(), dtype=stencil.dtype, device=stencil.device)
    for values, window in zip(stencil, pair_windows(size, radius), strict=True):
        source, target = grid[window.source].flatten(), grid[window.target].flatten()
        affinity[source, target] = affinity[target, source] = values[window.source].flatten()
    affinity.pow_(beta)
    return affinity.div_(affinity.sum(dim=0, keepdim=True))


def single_steps(scores: Tensor, stencil: Tensor, radius: int, beta: float, log2_steps: int) -> Tensor:
    """The walk step by step, in double precision."""
    weights = stencil.double() ** beta
    windows = pair_windows((stencil.shape[-2], stencil.shape[-1]), radius)

    def spread(maps: Tensor) -> Tensor:
        result = maps.clone()
        for values, (source, target) in zip(weights, windows, strict=True):
            result[:, *source] += values[source] * maps[:, *target]
            result[:, *target] += values[source] * maps[:, *source]
        return result

    scores = scores.double()
    degree = spread(torch.ones_like(scores))
    for _ in range(2**log2_steps):
        scores = spread(scores) / degree
    return scores


def dense_estimate(matrix: Tensor, log2_steps: int, device: str) -> beside.Row:
    """The row of the dense walk, from one squaring timed once."""
    seconds = 0.0

    def squaring() -> None:
        nonlocal seconds
        start = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # waits for a GPU
        seconds = log2_steps * (time.perf_counter() - start)

    memory = common.peak_memory(squaring, device)
    way = f"dense (one squaring x {log2_steps})"
    return {"way": way, "s": seconds, "fastest s": seconds, "max difference": "", "peak MB": memory}


if __name__ == "__main__":
    main()
