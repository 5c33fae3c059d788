"""instances: objects one by one, by IRNet's boundaries and displacements, as COCO's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from weakseg.data.images import resize_mask
from weakseg.data.instances import PhotoInstances, load_instances, save_instances
from weakseg.data.sample import ImageSet, Sample
from weakseg.methods.base import ReadMaps
from weakseg.methods.irnet.instances import InstancesSettings, find_instances
from weakseg.methods.irnet.network import IRNet
from weakseg.methods.irnet.walk import BoundaryWalkSettings, walk_start
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.stages.mapped import undone_maps
from weakseg.refine.background import foreground
from weakseg.training.ranks import is_first


@torch.inference_mode()
def instances(
    network: IRNet,
    images: ImageSet,
    read_maps: ReadMaps,
    out: Callable[[Sample], Path],
    together: Path,
    *,
    settings: InstancesSettings,
    walk: BoundaryWalkSettings,
    device: torch.device,
    workers: int = 0,
) -> int:
    """Write the objects of every photo, but for those that are there, and then of all photos in one file.

    Args:
        network: trained, in eval mode, on ``device``.
        images: photos with tags.
        read_maps: reads the class maps of a photo.
        out: where the objects of a photo go, a .json file.
        together: where those of all photos go.
        settings: threshold and smallest area.
        walk: how the evidence walks.
        device: where to compute.
        workers: processes that load photos.

    Returns:
        how many objects there are; 0 in all processes but the first, which makes the one file.
    """
    classes = images.classes

    for sample, image, maps in undone_maps(images, read_maps, out, title="instances", workers=workers):
        found = foreground(maps)
        boundary, displacement = network.maps(photo_tensor(torch.from_numpy(image)).to(device))
        objects = find_instances(
            walk_start(found, boundary, walk),
            boundary,
            displacement,
            found.classes,
            maps.size,
            threshold=settings.threshold,
            min_area=settings.min_area,
            radius=walk.radius,
            beta=walk.beta,
            log2_steps=walk.log2_steps,
        )
        size = sample.photo_size()
        own = tuple(instance._replace(mask=_mask_at(instance.mask, size)) for instance in objects)
        save_instances(out(sample), [PhotoInstances(sample.id, _file_name(sample), size, own)], classes)
    count = 0
    if not is_first():
        return count

    def photos() -> Iterator[PhotoInstances]:
        nonlocal count
        for sample in images.samples:
            (photo,) = load_instances(out(sample), classes)
            count += len(photo.instances)
            yield photo

    save_instances(together, photos(), classes)
    return count


def _mask_at(mask: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(resize_mask(mask.cpu().numpy().astype(np.uint8), size).astype(bool))


def _file_name(sample: Sample) -> str:
    """The photo's path below its data set's folder of photos; composed pictures are called .png."""
    return f"{sample.id}{sample.image.suffix if isinstance(sample.image, Path) else '.png'}"
