"""The trained segmentation network of a run, and what it makes of a photo: the inner piece of predict and label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from weakseg.data.images import Levels
from weakseg.data.sample import Array, Classes, Sample
from weakseg.pipeline.networks import segmentation_network, segmentation_weights
from weakseg.pipeline.rundir.run import Run
from weakseg.pipeline.stage import less_memory
from weakseg.recipes.recipe import Recipe
from weakseg.segmentation.inference import Segmented, segment_photo
from weakseg.training.checkpoint import Weights, naming_weights, read_weights, trained
from weakseg.training.device import build_fabric
from weakseg.training.memory import allocating


class PhotoMask(NamedTuple):
    """What a network makes of a photo.

    Attributes:
        values: uint8 (H, W), as on disk: 0 background, ``Classes.values``.
        confidence: float32 (H, W) in [0, 1], the probability that the network gives to each of them.
    """

    values: Array
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class StoredNetwork:
    """All that masks for new photos need of a run; it can be pickled, and needs no run directory where it is built.

    Attributes:
        recipe: of the run.
        classes: of its masks.
        levels: what was black and white to the network when it learnt, of pictures of more than 8 bits; None for
            others.
        weights: of the trained segmentation network.
        file: where these come from, for messages.
    """

    recipe: Recipe
    classes: Classes
    levels: Levels | None
    weights: Weights
    file: Path

    @property
    def accelerator(self) -> str:
        """Where it may run: a network trained on a GPU also runs where there is none."""
        return "cpu" if self.recipe.hardware.accelerator == "cpu" else "auto"

    def build(self, accelerator: str | None = None, threads: int | None = None) -> RunNetwork:
        """Place the network on a device of this machine.

        Args:
            accelerator: "cpu", "cuda", "mps" or "auto"; None for `accelerator`.
            threads: CPU threads of torch; None for those of the recipe, 0 for torch's choice.

        Raises:
            WeaksegError: the device does not work, or the weights are of another network.
        """
        hardware = self.recipe.hardware
        chosen = hardware.threads if threads is None else threads
        device = build_fabric(accelerator or self.accelerator, threads=chosen).device
        empty = segmentation_network(self.recipe, len(self.classes), pretrained=False)
        with naming_weights(self.file):
            network = trained(empty, self.weights, device)
        return RunNetwork(network, self.recipe, self.classes, device, self.levels)


@dataclass(frozen=True)
class RunNetwork:
    """A trained segmentation network on a device.

    Attributes:
        network: the torch module, in eval mode.
        recipe: that it was trained by; its section ``predict`` says how it looks at photos.
        classes: of its labels.
        device: where it is.
        levels: as of `StoredNetwork`.
    """

    network: nn.Module
    recipe: Recipe
    classes: Classes
    device: torch.device
    levels: Levels | None = None

    def read(self, sample: Sample) -> Array:
        """A photo as the network knows photos, uint8 RGB (H, W, 3). Raises WeaksegError if it cannot be read."""
        return (replace(sample, levels=self.levels) if self.levels else sample).read_image()

    def segment(self, name: str, image: Array) -> Segmented:
        """Labels and confidence of a photo, on the CPU.

        Args:
            name: of the photo, for the message.
            image: uint8 RGB (H, W, 3), of any size.

        Raises:
            WeaksegError: there is not enough memory.
        """
        with allocating(name, less_memory(self.recipe)):
            return segment_photo(self.network, image, self.recipe.predict, self.device, self.recipe.data.long_side)

    def mask(self, name: str, image: Array) -> PhotoMask:
        """The mask of a photo as it is written; see `segment`."""
        found = self.segment(name, image)
        return PhotoMask(self.classes.to_values(found.labels.numpy()), found.confidence.numpy())


def read_network(folder: Path) -> StoredNetwork:
    """Read the network of a finished run. Raises WeaksegError if there is no such run or network."""
    run = Run(folder)
    recipe = run.read_recipe()
    weights, classes = segmentation_weights(run, recipe), run.read_classes()
    levels = (run.read_manifest() or {}).get("levels")
    return StoredNetwork(recipe, classes, tuple(levels) if levels else None, read_weights(weights), weights)
