"""segment: train a segmentation network on masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

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

    Returns:
        steps and mean loss terms of the last steps.
    """
    classes = images.classes
    net: Any = network

    def labels(sample: Sample, size: Size) -> Array:
        return classes.to_labels(resize_mask(read_mask(sample), size))

    examples = LabelledExamples(images, labels, augment, net.mean, net.std)
    return trainer.fit(network, examples, schedule, folder, seed=seed, title=title)
