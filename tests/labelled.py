"""Photos, a network whose masks are not empty, and the index: for the tests of `weakseg label`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file

from weakseg.data.images import read_image
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.pipeline.newphotos.network import read_network
from weakseg.training.train import WEIGHTS


def lively(run: Path, photos: Path, out: Path) -> Path:
    """A copy of a run whose network finds something everywhere: its last layer is steep, and balanced on photos."""
    shutil.copytree(run, out)
    path = out / "segment" / WEIGHTS
    weights = load_file(path)
    weight, bias = (weights[f"network.segmentation_head.0.{name}"] for name in ("weight", "bias"))
    weight *= 50
    bias.zero_()
    save_file(weights, path)
    model: Any = read_network(out).build().network
    with torch.no_grad():
        images = [photo_tensor(torch.from_numpy(read_image(file))) for file in sorted(photos.iterdir())]
        means = [model(scaled_view(image, 0.5, model.mean, model.std)[None]).mean(dim=(0, 2, 3)) for image in images]
    bias -= torch.stack(means).mean(dim=0)
    save_file(weights, path)
    return out


def index(out: Path) -> list[dict[str, Any]]:
    """The rows of all parts, in their order."""
    return [row for path in sorted((out / "index").iterdir()) for row in pq.read_table(path).to_pylist()]


def files(folder: Path, kind: str = "masks") -> dict[str, bytes]:
    """The content of all files of a kind by their paths."""
    root = folder / kind
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
