"""The random walk beside repeated squaring of the dense matrix, as the authors' code does it, in one process.

python benchmarks/walk.py                  47 x 63 in full; 94 x 125 with one squaring timed, times log2(steps)
python benchmarks/walk.py --device cuda

"Max difference" is from 256 single steps in double precision.
"""

from __future__ import annotations

import time
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

import beside
import common
from weakseg.ops.affinity import feature_affinity
from weakseg.ops.pairs import pair_windows
from weakseg.ops.walk import random_walk

SIZES = ((47, 63), (94, 125))


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--classes", type=int, default=3)
    options.add_argument("--radius", type=int, default=5)
    options.add_argument("--beta", type=float, default=8)
    options.add_argument("--log2-steps", type=int, default=8)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    walk = {"radius": args.radius, "beta": args.beta, "log2_steps": args.log2_steps}
    records: list[beside.Row] = []
    for size in SIZES:
        scores, stencil = (part.to(args.device) for part in case(args.classes, size, args.radius))
        calls = {"weakseg": partial(random_walk, scores, stencil, **walk)}
        if size == SIZES[0]:
            calls["dense"] = partial(dense_walk, scores, stencil, **walk)
        exact = single_steps(scores.cpu(), stencil.cpu(), **walk)
        rows = beside.compare(calls, exact=exact, repeats=args.repeats, device=args.device)
        if "dense" not in calls:
            rows.append(dense_estimate(transition(stencil, args.radius, args.beta), args.log2_steps, args.device))
        title = f"{size[0]} x {size[1]}, {args.classes} classes, radius {args.radius}, {2**args.log2_steps} steps"
        rows = beside.ratios(rows)
        print(common.table(f"{title}, {args.threads} threads, {args.device}", rows), end="\n\n")
        records += [{"height": size[0], "width": size[1], **row} for row in rows]
    settings = {key: value for key, value in vars(args).items() if key != "out"}
    print("wrote", common.write_json(args.out, "walk", records, settings=settings, device=args.device))


def case(classes: int, size: tuple[int, int], radius: int) -> tuple[Tensor, Tensor]:
    """Scores (K, h, w) in [0, 1] and affinities (n, h, w) of patchy random features."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(1, 32, -(-size[0] // 8), -(-size[1] // 8), generator=generator)
    features = F.interpolate(patches, size, mode="bilinear") + 0.1 * torch.randn(1, 32, *size, generator=generator)
    return torch.rand(classes, *size, generator=generator), feature_affinity(features / 2, radius)[0]


def dense_walk(scores: Tensor, stencil: Tensor, radius: int, beta: float, log2_steps: int) -> Tensor:
    """SPEC 2, "Random walk": M T^(2^t) with T squared t times."""
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
    start = time.perf_counter()
    memory = common.peak_memory(lambda: float((matrix @ matrix)[0, 0]), device)  # float waits for a GPU
    seconds = log2_steps * (time.perf_counter() - start)
    way = f"dense (one squaring x {log2_steps})"
    return {"way": way, "s": seconds, "fastest s": seconds, "max difference": "", "peak MB": memory}


if __name__ == "__main__":
    main()
