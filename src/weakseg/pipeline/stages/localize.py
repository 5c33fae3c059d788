"""localize: multi-scale, flipped CAM inference; ClassMaps per photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from weakseg.data.classmaps import ClassMaps, save_maps
from weakseg.data.sample import Array, Sample
from weakseg.engine.infer import process
from weakseg.models.cams.base import CamMethod
from weakseg.models.cams.multiscale import multi_scale_maps
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import cam_network, trained
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.stage import Context, Stage


def maps_path(context: Context, sample: Sample) -> Path:
    """Where the maps of a sample are."""
    return context.file("localize", "maps", sample, ".safetensors")


def _settings(recipe: Recipe) -> Any:
    return recipe.localize.model_dump(exclude={"threshold"})


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    section, classes, device = context.recipe.localize, context.train.classes, context.fabric.device
    network = cam_network(context.recipe, len(classes), pretrained=False)
    model = cast(CamMethod, trained(network, context.folder("classify") / "weights.safetensors", device))

    def work(sample: Sample, image: Array) -> None:
        tags = torch.from_numpy(classes.multi_hot(sample.tags))
        photo = photo_tensor(torch.from_numpy(image)).to(device)
        scores = multi_scale_maps(
            model, photo, tags.to(device), scales=section.scales, flip=section.flip, stride=section.stride
        )
        labels = tuple(int(index) + 1 for index in torch.nonzero(tags)[:, 0])
        save_maps(maps_path(context, sample), ClassMaps(labels, scores.cpu(), (image.shape[0], image.shape[1])))

    process(
        context.train.samples,
        Sample.read_image,
        work,
        lambda sample: maps_path(context, sample),
        title="localize",
        workers=context.recipe.hardware.workers,
    )
    return {"images": len(context.train)}


STAGE = Stage("localize", ("classify",), _settings, _inputs, _work)
