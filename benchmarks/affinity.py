"""The affinity loss (forward and backward) beside its formulation with gathered pairs, per pair, in one process.

python benchmarks/affinity.py                  32 x 32, batch 8, 448 channels, radius 5 and 10
python benchmarks/affinity.py --device cuda

Both get the labels of the pairs; only the gathered form gets an index tensor. "Max difference" is that of the
gradient from the gathered form, as a part of its largest value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

import beside
import common
from weakseg.methods.affinitynet.affinity import PairLabels, affinity_loss, feature_affinity, pair_labels
from weakseg.ops.pairs import crop_window, pair_offsets, stencil_to_pairs


def main() -> None:
    """Measure, print the tables, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--side", type=int, default=32)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--channels", type=int, default=448)
    options.add_argument("--radii", type=int, nargs="+", default=[5, 10])
    args = common.parse(options)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(args.batch, args.channels, args.side, args.side, generator=generator).to(args.device)
    labels = common.label_patches(args.batch, args.side).to(args.device)
    records: list[beside.Row] = []
    for radius in args.radii:
        pairs = pair_labels(labels, radius, border="crop")
        gathered = PairLabels(*(stencil_to_pairs(kind, radius) for kind in pairs))
        indices = pair_indices(args.side, radius).to(args.device)
        calls: dict[str, Callable[[], Tensor]] = {
            "weakseg": partial(stencil_gradient, features, pairs, radius),
            "gathered pairs": partial(gathered_gradient, features, gathered, indices),
        }
        exact = calls["gathered pairs"]()
        rows = beside.ratios(beside.compare(calls, exact=exact, repeats=args.repeats, device=args.device))
        count = args.batch * indices[1:].numel()
        rows = [{"radius": radius, "pairs": count, **row, "ns per pair": 1e9 * row["s"] / count} for row in rows]
        records += rows
    size = f"{args.batch} x {args.channels} x {args.side} x {args.side}"
    print(common.table(f"affinity loss, {size}, {args.threads} threads, {args.device}", records))
    print("wrote", common.write_json(args, "affinity", records, packages=["numba"]))


def stencil_gradient(features: Tensor, pairs: PairLabels, radius: int) -> Tensor:
    """Gradient of the loss with respect to the features, by `weakseg.methods.affinitynet.affinity`."""
    features = features.detach().requires_grad_()
    affinity_loss(feature_affinity(features, radius, border="crop"), pairs).total.backward()
    return gradient_of(features)


def gathered_gradient(features: Tensor, pairs: PairLabels, indices: Tensor) -> Tensor:
    """Sources and partners gathered, exp of the mean absolute difference: as docs/methods/affinitynet.md."""
    features = features.detach().requires_grad_()
    # On a CPU the backward of this indexing is three times faster than that of index_select.
    source, target = features.flatten(2)[:, :, indices[:1]], features.flatten(2)[:, :, indices[1:]]
    affinity = torch.exp(-(target - source).abs().mean(dim=1))
    affinity_loss(affinity, pairs).total.backward()
    return gradient_of(features)


def gradient_of(features: Tensor) -> Tensor:
    """The gradient as a part of its largest value."""
    assert features.grad is not None
    return features.grad / features.grad.abs().max()


def pair_indices(side: int, radius: int) -> Tensor:
    """Raster positions (1 + n, P): the sources, then their partners of every offset."""
    positions = torch.arange(side * side).view(side, side)[crop_window((side, side), radius)].flatten()
    steps = torch.tensor([0, *(dy * side + dx for dy, dx in pair_offsets(radius))])
    return positions + steps[:, None]


if __name__ == "__main__":
    main()
