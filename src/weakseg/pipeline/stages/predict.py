"""predict: masks of photos by a segmentation network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from weakseg.data.images import write_mask
from weakseg.data.sample import ImageSet, Sample
from weakseg.segmentation.inference import PredictSettings, segment_photo
from weakseg.training.photos import undone


@torch.inference_mode()
def predict(
    network: nn.Module,
    images: ImageSet,
    out: Callable[[Sample], Path],
    *,
    settings: PredictSettings,
    long_side: int | None,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Write the mask of every photo, but for those that are there.

    Args:
        network: trained, in eval mode, on ``device``.
        images: the photos.
        out: where the mask of a photo goes, a PNG in the values of the classes.
        settings: scales, flip and dense CRF.
        long_side: working size of the photos that the network has learnt from.
        device: where to compute.
        workers: processes that load photos.
    """
    classes = images.classes
    for sample, image in undone(images.samples, Sample.read_image, out, title="predict", workers=workers):
        labels = segment_photo(network, image, settings, device, long_side).labels.numpy()
        write_mask(out(sample), classes.to_values(labels), classes.palette)
