"""The CAM methods and their published variants on tiny backbones, as the contracts go through them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from weakseg.backbones.backbone import build_backbone
from weakseg.methods.base import CamMethod
from weakseg.methods.registry import SEEDS, build_cam

Variant = tuple[str, dict[str, Any]]

VARIANTS: list[Variant] = [
    *((name, {}) for name in SEEDS.names() if issubclass(SEEDS.get(name), CamMethod)),
    ("vwe", {"codebook": "memory"}),
    ("vwe", {"decorrelation": 1.0, "fuse": "max"}),
    ("seam", {"context": "prcm"}),
    ("cpn", {"pairs": "grid", "sizes": (16, 32)}),
    ("cpn", {"context": "prcm_paper"}),
    ("ae-sipe", {"steps": ("prototypes",)}),
    ("ae-sipe", {"steps": ("prototypes", "pamr", "prototypes")}),
    ("ae-sipe", {"steps": ("pamr", "prototypes", "prototypes"), "normalise": "min-max", "pamr_kernel": "gaussian"}),
]
"""Methods with options: VWL-M, VWL-L with the paper's maps, SEAM*, the pairs and keys of CPN's paper, and the
arrangements of AE-SIPE's. Other options of the papers' ablations are checked with their studies."""

BACKBONE = {"output_stride": 16, "dilation": False, "batch_norm": "frozen", "weights": "none"}


def variant_id(variant: Variant) -> str:
    """The method and the values of its options."""
    name, options = variant
    values = (value if isinstance(value, tuple) else (value,) for value in options.values())
    return "-".join([name, *(str(part) for parts in values for part in parts)])


def build_variant(variant: Variant, n_classes: int, backbone: str, seed: int = 0, **more: Any) -> CamMethod:
    """A variant with weights of its seed; ``more`` options go over its own."""
    torch.manual_seed(seed)
    name, options = variant
    return build_cam(name, build_backbone(backbone, **BACKBONE), n_classes, **(options | more))


def guide(name: str, count: int, height: int, width: int) -> Tensor:
    """A guide of photos that leave two rows and a column of the crop empty; super-pixels are 8 x 8."""
    labels = torch.ones(height, width, dtype=torch.int64)
    if name == "superpixels":
        labels = torch.arange(height)[:, None] // 8 * 100 + torch.arange(width) // 8 + 1
    labels[-2:], labels[:, :1] = 0, 0
    return labels.expand(count, height, width)


def guides(model: CamMethod, images: Tensor) -> list[Tensor]:
    """All that the losses want beside images (N, 3, H, W) and tags."""
    count, _, height, width = images.shape
    return [guide(name, count, height, width) for name in model.guides]
