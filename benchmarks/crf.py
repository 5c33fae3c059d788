"""Dense CRF beside pydensecrf2 (the extra "bench"), in one process: seconds, ratio, agreement of the labels, memory.

    python benchmarks/crf.py                       375 x 500, 4 labels, 10 iterations, 2 threads
    python benchmarks/crf.py --device cuda --batch 8
    python benchmarks/crf.py --exact --height 60 --width 80

pydensecrf runs on one thread, the only way it has; its lattices are built anew for every image, as its interface asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

import common
from weakseg.ops.densecrf import crf


def main() -> None:
    """Measure, print the table, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--height", type=int, default=375)
    options.add_argument("--width", type=int, default=500)
    options.add_argument("--labels", type=int, default=4)
    options.add_argument("--iterations", type=int, default=10)
    options.add_argument("--batch", type=int, default=4, help="images of the batched row (default: 4)")
    options.add_argument("--preset", default="psa", choices=list(crf.PRESETS))
    options.add_argument("--exact", action="store_true", help="also time the sum over all pairs (slow on a CPU)")
    args = common.parse(options)
    params = replace(crf.PRESETS[args.preset], iterations=args.iterations)
    image = picture(args.height, args.width)
    unary = crf.unary_from_scores(probabilities(args.labels, args.height, args.width)).to(args.device)
    images = np.stack([np.roll(image, 40 * shift, axis=1) for shift in range(args.batch)])
    unaries = torch.stack([unary.roll(40 * shift, dims=2) for shift in range(args.batch)])

    def first_of_its_size() -> Tensor:
        crf._position_lattice.cache_clear()
        return crf.dense_crf(image, unary, params)

    def on_one_thread() -> Tensor:
        torch.set_num_threads(1)
        try:
            return crf.dense_crf(image, unary, params)
        finally:
            torch.set_num_threads(args.threads)

    calls: dict[str, Callable[[], Tensor]] = {
        "lattice": lambda: crf.dense_crf(image, unary, params),
        "lattice, one thread": on_one_thread,
        "lattice, first image of its size": first_of_its_size,
        f"lattice, batch of {args.batch}": lambda: crf.dense_crf(images, unaries, params),
    }
    if args.exact:
        calls["exact"] = lambda: crf.dense_crf(image, unary, params, method="exact")
    reference = pydensecrf(image, unary.cpu(), params)
    if reference is None:
        print("pydensecrf is not installed (pip install pydensecrf2): ours runs alone")
    else:
        calls["pydensecrf2"] = reference
    rows = measure(calls, args.repeats, args.device, args.batch)
    print(common.table(f"dense CRF, {args.height} x {args.width}, {args.labels} labels, {params}", rows))
    print("wrote", common.write_json(args, "crf", rows, packages=["numba", "pydensecrf2"]))


def measure(calls: dict[str, Callable[[], Tensor]], repeats: int, device: str, batch: int) -> list[dict[str, object]]:
    """One row per call; times are per image, the ratio says how many times faster than pydensecrf it is."""
    labels = {}
    for name, call in calls.items():  # the first round compiles and fills the caches
        result = call()
        labels[name] = (result[0] if result.ndim == 4 else result).argmax(0).cpu()
    memory = {name: common.peak_memory(call, device) for name, call in calls.items()}
    times = common.median_times(calls, repeats=repeats, device=device)
    rows: list[dict[str, object]] = []
    for name in calls:
        images = batch if "batch" in name else 1
        seconds = times[name]["median"] / images
        row: dict[str, object] = {"way": name, "s per image": seconds, "fastest": times[name]["min"] / images}
        if "pydensecrf2" in calls:
            row["times faster"] = times["pydensecrf2"]["median"] / seconds
            row["same labels %"] = 100 * (labels[name] == labels["pydensecrf2"]).double().mean().item()
        rows.append({**row, "peak MB": memory[name]})
    return rows


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """A real photo (scikit-image's astronaut), cropped, and mirrored where it is too small."""
    photo = data.astronaut()
    grown = np.pad(photo, ((0, max(0, height - len(photo))), (0, max(0, width - photo.shape[1])), (0, 0)), "symmetric")
    return np.ascontiguousarray(grown[:height, :width])


def probabilities(labels: int, height: int, width: int) -> Tensor:
    """Smooth random maps (K, H, W) that sum to one, as a network at stride 32 would give them."""
    coarse = torch.randn(1, labels, -(-height // 32), -(-width // 32), generator=torch.Generator().manual_seed(0))
    return F.interpolate(2 * coarse, size=(height, width), mode="bilinear")[0].softmax(0)


def pydensecrf(image: NDArray[np.uint8], unary: Tensor, params: crf.CrfParams) -> Callable[[], Tensor] | None:
    """The same computation with pydensecrf, or None where it is not installed."""
    try:
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError:
        return None
    labels, height, width = unary.shape
    energies = np.ascontiguousarray(unary.flatten(1).numpy())

    def run() -> Tensor:
        model = DenseCRF2D(width, height, labels)
        model.setUnaryEnergy(energies)
        model.addPairwiseGaussian(sxy=params.gaussian_sxy, compat=params.gaussian_weight)
        model.addPairwiseBilateral(
            sxy=params.bilateral_sxy, srgb=params.bilateral_srgb, rgbim=image, compat=params.bilateral_weight
        )
        return torch.from_numpy(np.array(model.inference(params.iterations))).view(labels, height, width)

    return run


if __name__ == "__main__":
    main()
