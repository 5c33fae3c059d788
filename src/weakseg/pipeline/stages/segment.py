"""segment: train a segmentation network on masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from weakseg.data.examples import LabelledExamples
from weakseg.data.images import Size, resize_mask
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.data.transforms import Augmentation
from weakseg.training.optim import Schedule
from weakseg.training.train import Trainer


def segment(
    network: nn.Module,
    images: ImageSet,
    read_mask: Callable[[Sample], Array],
    folder: Path,
    trainer: Trainer,
    *,
    augment: Augmentation,
    schedule: Schedule,
    seed: int,
    title: str = "segment",
    unbalance: float = 0.0,
) -> dict[str, Any]:
    """Train a segmentation network into ``folder/weights.safetensors``.

    Args:
        network: untrained, on a pretrained backbone.
        images: the photos.
        read_mask: reads the mask of a photo, uint8 (H, W) of the photo's own size, values as on disk.
        folder: where to write.
        trainer: device and log.
        augment: of photos and masks.
        schedule: how long and how fast.
        seed: of order, augmentation and dropout.
        title: of the stage that trains it.
        unbalance: share of what rare labels gain by the network's ``balance`` that its output shall lack.

    Returns:
        steps and mean loss terms of the last steps.
    """
    classes = images.classes
    net: Any = network

    def labels(sample: Sample, size: Size) -> Array:
        return classes.to_labels(resize_mask(read_mask(sample), size))

    if unbalance and net.balance:
        net.unbalance(label_counts(images, read_mask), unbalance)
    examples = LabelledExamples(images, labels, augment, net.mean, net.std)
    return trainer.fit(network, examples, schedule, folder, seed=seed, title=title)


def label_counts(images: ImageSet, read_mask: Callable[[Sample], Array]) -> Tensor:
    """How many pixels of the masks each label has, int64 (C + 1,)."""
    counts = np.zeros(256, np.int64)
    for sample in images.samples:
        counts += np.bincount(images.classes.to_labels(read_mask(sample)).ravel(), minlength=256)
    return torch.from_numpy(counts[: len(images.classes) + 1])
