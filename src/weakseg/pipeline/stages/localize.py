"""localize: class maps of photos by a seed method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from weakseg.data.classmaps import ClassMaps, save_maps
from weakseg.data.sample import ImageSet, Sample
from weakseg.methods.base import SeedMethod, Views
from weakseg.ops.views import photo_tensor
from weakseg.training.photos import undone


@torch.inference_mode()
def localize(
    method: SeedMethod,
    images: ImageSet,
    out: Callable[[Sample], Path],
    *,
    views: Views,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Write the ClassMaps of every photo, but for those that are there.

    Args:
        method: in eval mode, on ``device``.
        images: photos with tags.
        out: where the maps of a photo go, a .safetensors file.
        views: scales, flip, stride and whether maps at the photo's size are kept beside.
        device: where to compute.
        workers: processes that load photos.
    """
    classes = images.classes
    for sample, image in undone(images.samples, Sample.read_image, out, title="localize", workers=workers):
        tags = torch.from_numpy(classes.multi_hot(sample.tags))
        given = (photo_tensor(torch.from_numpy(image)).to(device), tags.to(device), views)
        scores, full = method.both_maps(*given) if views.full else (method.class_maps(*given), None)
        labels = [int(index) + 1 for index in torch.nonzero(tags)[:, 0]]
        if method.background and labels:
            labels = [0, *labels]
        maps = ClassMaps(tuple(labels), scores.cpu(), (image.shape[0], image.shape[1]))
        save_maps(out(sample), maps if full is None else maps.with_full(full.cpu()))
