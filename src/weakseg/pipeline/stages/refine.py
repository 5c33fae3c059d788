"""refine: from class maps to one palette mask and one confidence map per photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from weakseg.data.images import write_gray, write_mask
from weakseg.data.sample import ImageSet, Sample
from weakseg.methods.base import ReadMaps
from weakseg.pipeline.stages.mapped import undone_maps
from weakseg.refine.base import Refine
from weakseg.refine.registry import to_mask


@torch.inference_mode()
def refine(
    step: Refine,
    images: ImageSet,
    read_maps: ReadMaps,
    masks: Callable[[Sample], Path],
    confidence: Callable[[Sample], Path],
    *,
    workers: int = 0,
) -> None:
    """Write the pseudo mask of every photo, at its own size, but for those that are there.

    Args:
        step: what refines the maps, see `weakseg.refine.registry.one_after_the_other`.
        images: photos with tags.
        read_maps: reads the class maps of a photo.
        masks: where the mask of a photo goes, a PNG in the values of the classes.
        confidence: where the winner's share of each pixel goes, a grey PNG of 0..255.
        workers: processes that load photos.
    """
    classes = images.classes

    for sample, image, maps in undone_maps(images, read_maps, masks, title="refine", workers=workers):
        labels, share = to_mask(step(image, maps), sample.photo_size())
        write_gray(confidence(sample), (share * 255).round().byte().numpy())
        # The mask comes last: its presence says that the sample is done.
        write_mask(masks(sample), classes.to_values(labels.numpy()), classes.palette)
