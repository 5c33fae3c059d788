"""PAMR by shifted views beside the formulation that copies all neighbours (unfold), in one process.

python benchmarks/pamr.py                        375 x 500, 4 classes, 10 iterations, 2 threads
python benchmarks/pamr.py --device cuda
python benchmarks/pamr.py --batch 16 --height 128 --width 128 --classes 21      as within training

"Max difference" is from the same formula in double precision.
"""

from __future__ import annotations

import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

import beside
import common
from weakseg.ops.pamr import DILATIONS, pamr


def main() -> None:
    """Measure, print the table, write the JSON file."""
    options = common.parser(__doc__)
    options.add_argument("--batch", type=int, default=1)
    options.add_argument("--height", type=int, default=375)
    options.add_argument("--width", type=int, default=500)
    options.add_argument("--classes", type=int, default=4)
    options.add_argument("--iterations", type=int, default=10)
    args = common.parse(options)
    image = photos(args.batch, args.height, args.width).to(args.device)
    generator = torch.Generator().manual_seed(0)
    coarse = (args.batch, args.classes, -(-args.height // 16), -(-args.width // 16))
    masks = torch.randn(coarse, generator=generator).mul(2).softmax(dim=1).to(args.device)
    calls = {
        "weakseg": lambda: pamr(image, masks, iterations=args.iterations),
        "unfold": lambda: unfold_pamr(image, masks, args.iterations),
    }
    exact = unfold_pamr(image.double(), masks.double(), args.iterations)
    rows = beside.ratios(beside.compare(calls, exact=exact, repeats=args.repeats, device=args.device))
    size = f"{args.batch} x {args.height} x {args.width}, {args.classes} classes"
    print(common.table(f"PAMR, {size}, {args.iterations} iterations, {args.threads} threads, {args.device}", rows))
    print("wrote", common.write_json(args, "pamr", rows))


def photos(batch: int, height: int, width: int) -> Tensor:
    """A real photo (scikit-image's astronaut) in [0, 1], resized, shifted from image to image: (N, 3, H, W)."""
    photo = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255
    resized = F.interpolate(photo, (height, width), mode="bilinear", antialias=True)
    return torch.cat([resized.roll(10 * shift, dims=3) for shift in range(batch)])


@torch.no_grad()
def unfold_pamr(image: Tensor, masks: Tensor, iterations: int) -> Tensor:
    """The released code's arithmetic word by word, with all neighbours of all channels in memory."""
    neighbours, centre = unfold(image), image[:, :, None]
    samples = torch.cat([neighbours, centre.expand(-1, -1, len(DILATIONS), -1, -1)], dim=2)
    deviation = samples.std(dim=2, keepdim=True)
    likeness = -(neighbours - centre).abs() / (1e-8 + 0.1 * deviation)
    kernel = likeness.mean(dim=1, keepdim=True).softmax(dim=2)
    masks = F.interpolate(masks, image.shape[2:], mode="bilinear", align_corners=True)
    for _ in range(iterations):
        masks = (unfold(masks) * kernel).sum(dim=2)
    return masks


def unfold(maps: Tensor) -> Tensor:
    """The 8 neighbours at every dilation: (N, C, H, W) -> (N, C, 48, H, W)."""
    shape = (*maps.shape[:2], 9, *maps.shape[2:])
    copies = []
    for dilation in DILATIONS:
        padded = F.pad(maps, (dilation,) * 4, mode="replicate")
        windows = F.unfold(padded, 3, dilation=dilation).view(shape)
        copies += [windows[:, :, :4], windows[:, :, 5:]]
    return torch.cat(copies, dim=2)


if __name__ == "__main__":
    main()
