"""instances: objects one by one, by IRNet's boundaries and displacements; COCO's JSON (SPEC 3 "Instance path")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import resize_mask
from weakseg.data.instances import PhotoInstances, load_instances, save_instances
from weakseg.data.sample import Array, Sample
from weakseg.methods.irnet.instances import find_instances
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.mapped import for_each_photo
from weakseg.pipeline.networks import boundary_network, trained
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe
from weakseg.refine.background import foreground
from weakseg.refine.refinement import walk_start


def _settings(recipe: Recipe) -> Any:
    return [recipe.instances.model_dump(), recipe.refine.boundary_walk.model_dump()]


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    recipe, classes, device = context.recipe, context.train.classes, context.fabric.device
    weights = context.run.weights_path("relate")
    model = trained(boundary_network(recipe, pretrained=False), weights, device)
    walk = recipe.refine.boundary_walk
    options = recipe.instances.model_dump() | walk.model_dump(exclude={"power"})

    def work(sample: Sample, image: Array, maps: ClassMaps) -> None:
        found = foreground(maps)
        boundary, displacement = model.maps(photo_tensor(torch.from_numpy(image)).to(device))
        start = walk_start(found, boundary, walk)
        instances = find_instances(start, boundary, displacement, found.classes, maps.size, **options)
        size = sample.photo_size()
        own = tuple(instance._replace(mask=_mask_at(instance.mask, size)) for instance in instances)
        photo = PhotoInstances(sample.id, _file_name(sample), size, own)
        save_instances(context.instances_path(sample), [photo], classes)

    for_each_photo(context, work, context.instances_path, "instances")
    count = 0

    def photos() -> Iterator[PhotoInstances]:
        nonlocal count
        for sample in context.train.samples:
            (photo,) = load_instances(context.instances_path(sample), classes)
            count += len(photo.instances)
            yield photo

    save_instances(context.folder("instances") / "instances.json", photos(), classes)
    return {"images": len(context.train), "instances": count}


def _mask_at(mask: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(resize_mask(mask.cpu().numpy().astype(np.uint8), size).astype(bool))


def _file_name(sample: Sample) -> str:
    """The photo's path below its data set's folder of photos; composed pictures are called .png."""
    return f"{sample.id}{sample.image.suffix if isinstance(sample.image, Path) else '.png'}"


STAGE = Stage("instances", ("localize", "relate"), _settings, _inputs, _work)
