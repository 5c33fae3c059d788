"""The trained segmentation network of a run, with all that says how it looks at photos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from weakseg.data.images import Levels
from weakseg.data.sample import Array, Classes, Sample
from weakseg.pipeline.networks import segmentation_network, segmentation_weights
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.segmentation.inference import Segmented, segment_photo
from weakseg.training.checkpoint import trained
from weakseg.training.device import build_fabric


@dataclass(frozen=True)
class RunNetwork:
    """A trained segmentation network.

    Attributes:
        network: the torch module, in eval mode.
        recipe: that it was trained by; its section ``predict`` says how it looks at photos.
        classes: of its labels.
        device: where it is.
        levels: what was black and white to it when it learnt, of pictures of more than 8 bits; None for others.
    """

    network: nn.Module
    recipe: Recipe
    classes: Classes
    device: torch.device
    levels: Levels | None = None

    def read(self, sample: Sample) -> Array:
        """A photo as the network knows photos, uint8 RGB (H, W, 3). Raises WeaksegError if it cannot be read."""
        return (replace(sample, levels=self.levels) if self.levels else sample).read_image()

    def segment(self, image: Array) -> Segmented:
        """Labels and confidence, on the CPU, of a photo, uint8 RGB (H, W, 3) of any size."""
        return segment_photo(self.network, image, self.recipe.predict, self.device, self.recipe.data.long_side)


def open_network(folder: Path, accelerator: str | None = None) -> RunNetwork:
    """Load the segmentation network of a run.

    Args:
        folder: directory of a run with a segment stage.
        accelerator: "cpu", "cuda", "mps" or "auto"; None for the CPU where the run was trained on one, else "auto":
            what was trained on a GPU also runs where there is none.

    Raises:
        WeaksegError: no run or no such network there, or no such device here.
    """
    run = Run(folder)
    recipe = run.read_recipe()
    weights, classes = segmentation_weights(run, recipe), run.read_classes()
    if accelerator is None:
        accelerator = "cpu" if recipe.hardware.accelerator == "cpu" else "auto"
    device = build_fabric(accelerator, threads=recipe.hardware.threads).device
    network = trained(segmentation_network(recipe, len(classes), pretrained=False), weights, device)
    levels = (run.read_manifest() or {}).get("levels")
    return RunNetwork(network, recipe, classes, device, (levels[0], levels[1]) if levels else None)
