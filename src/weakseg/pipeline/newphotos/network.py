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
from weakseg.segmentation.inference import segment_photo
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
class RunNetwork:
    """All that masks for new photos need of a run; it can be pickled, and needs no run directory where it is built.

    Attributes:
        recipe: of the run.
        classes: of its masks.
        levels: what was black and white to the network when it learnt, of pictures of more than 8 bits.
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

    def build(self, threads: int | None = None) -> BuiltNetwork:
        """Place the network on this machine's device.

        Args:
            threads: CPU threads of torch; None for those of the recipe, 0 for torch's choice.

        Raises:
            WeaksegError: the device does not work, or the weights are of another network.
        """
        hardware = self.recipe.hardware
        chosen = hardware.threads if threads is None else threads
        device = build_fabric(self.accelerator, 1, hardware.precision, chosen).device
        empty = segmentation_network(self.recipe, len(self.classes), pretrained=False)
        with naming_weights(self.file):
            return BuiltNetwork(self, trained(empty, self.weights, device), device)


def read_network(folder: Path) -> RunNetwork:
    """Read the network of a finished run. Raises WeaksegError if there is no such run or network."""
    run = Run(folder)
    recipe = run.read_recipe()
    weights = segmentation_weights(run, recipe)
    classes = run.read_classes()
    levels = (run.read_manifest() or {}).get("levels")
    return RunNetwork(recipe, classes, tuple(levels) if levels else None, read_weights(weights), weights)


@dataclass(frozen=True)
class BuiltNetwork:
    """A trained network on a device.

    Attributes:
        source: what it was built from.
        model: in eval mode.
        device: where it is.
    """

    source: RunNetwork
    model: nn.Module
    device: torch.device

    def read(self, photo: Sample) -> Array:
        """A photo as the network has learnt to see photos: uint8 RGB (H, W, 3). Raises WeaksegError if unreadable."""
        levels = self.source.levels
        return (replace(photo, levels=levels) if levels else photo).read_image()

    def mask(self, name: str, image: Array) -> PhotoMask:
        """The mask of a photo.

        Args:
            name: of the photo, for the message.
            image: uint8 RGB (H, W, 3), of any size.

        Raises:
            WeaksegError: there is not enough memory.
        """
        recipe = self.source.recipe
        with allocating(name, less_memory(recipe)):
            found = segment_photo(self.model, image, recipe.predict, self.device, recipe.data.long_side)
        return PhotoMask(self.source.classes.to_values(found.labels.numpy()), found.confidence.numpy())
