"""localize: multi-scale, flipped CAM inference; ClassMaps per photo."""

from __future__ import annotations

from typing import Any

import torch

from weakseg.data.classmaps import ClassMaps, save_maps
from weakseg.data.sample import Array, Sample
from weakseg.evaluation.presence import presence_in_maps, report_presence
from weakseg.methods.multiscale import multi_scale_maps
from weakseg.ops.views import photo_tensor
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import cam_network, trained
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe
from weakseg.training.infer import process


def _settings(recipe: Recipe) -> Any:
    return recipe.localize.model_dump(exclude={"background"})


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    section, classes, device = context.recipe.localize, context.train.classes, context.fabric.device
    network = cam_network(context.recipe, len(classes), pretrained=False)
    model = trained(network, context.run.weights_path("classify"), device)

    def work(sample: Sample, image: Array) -> None:
        tags = torch.from_numpy(classes.multi_hot(sample.tags))
        photo = photo_tensor(torch.from_numpy(image)).to(device)
        scores = multi_scale_maps(
            model, photo, tags.to(device), scales=section.scales, flip=section.flip, stride=section.stride
        )
        labels = [int(index) + 1 for index in torch.nonzero(tags)[:, 0]]
        if model.background and labels:
            labels = [0, *labels]
        save_maps(context.maps_path(sample), ClassMaps(tuple(labels), scores.cpu(), (image.shape[0], image.shape[1])))

    process(
        context.train.samples,
        Sample.read_image,
        work,
        context.maps_path,
        title="localize",
        workers=context.recipe.hardware.workers,
        remedy=context.less_memory,
    )
    presence = presence_in_maps(context)
    report_presence(context.recipe, "localize", presence)
    return {"images": len(context.train), "presence": presence}


STAGE = Stage("localize", ("classify",), _settings, _inputs, _work)
