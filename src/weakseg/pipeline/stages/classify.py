"""classify: train the seed method's network on tags."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from weakseg.data.examples import TaggedExamples
from weakseg.data.sample import ImageSet
from weakseg.data.transforms import Augmentation
from weakseg.methods.base import CamMethod
from weakseg.pipeline.stages.guides import build_guides
from weakseg.training.optim import Schedule
from weakseg.training.train import Trainer


def classify(
    network: CamMethod,
    images: ImageSet,
    folder: Path,
    trainer: Trainer,
    *,
    augment: Augmentation,
    schedule: Schedule,
    seed: int,
    guided: ImageSet | None = None,
) -> dict[str, Any]:
    """Train a CAM network into ``folder/weights.safetensors``.

    Args:
        network: untrained, on a pretrained backbone.
        images: photos with tags.
        folder: where to write; super-pixels that the method wants are kept there, too.
        trainer: device and log.
        augment: of the photos.
        schedule: how long and how fast.
        seed: of order, augmentation and dropout.
        guided: photos to make guides for, where these are more than ``images``.

    Returns:
        steps, mean loss terms of the last steps, and the seconds that the guides took.
    """
    began = time.perf_counter()
    guides = build_guides(network.guides, guided or images, folder, workers=trainer.workers)
    seconds = time.perf_counter() - began
    examples = TaggedExamples(images, augment, network.mean, network.std, guides)

    def pace(share: float) -> None:
        network.progress = share

    summary = trainer.fit(network, examples, schedule, folder, seed=seed, title="classify", pace=pace)
    return summary | {"guide_seconds": round(seconds, 3)}
