"""predict: masks of the evaluation split by the segmentation network."""

from __future__ import annotations

from typing import Any

from weakseg.data.images import write_mask
from weakseg.data.sample import Array, Sample
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import segmentation_network, trained
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe
from weakseg.segmentation.inference import segment_photo
from weakseg.training.infer import process
from weakseg.training.progress import say


def _settings(recipe: Recipe) -> Any:
    return [recipe.predict.model_dump(), recipe.data.long_side]


def _inputs(context: Context) -> Any:
    return fingerprint(context.val)


def _work(context: Context) -> dict[str, Any]:
    if context.val is None:
        say(f"predict: the data have no split {context.recipe.data.val!r}, nothing to predict")
        return {"images": 0}
    section, classes, device = context.recipe.predict, context.val.classes, context.fabric.device
    long_side = context.recipe.data.long_side
    network = segmentation_network(context.recipe, len(classes), pretrained=False)
    model = trained(network, context.run.weights_path("segment"), device)

    def work(sample: Sample, image: Array) -> None:
        labels = segment_photo(model, image, section, device, long_side).labels.numpy()
        write_mask(context.prediction_path(sample), classes.to_values(labels), classes.palette)

    process(
        context.val.samples,
        Sample.read_image,
        work,
        context.prediction_path,
        title="predict",
        workers=context.recipe.hardware.workers,
        remedy=context.less_memory,
    )
    return {"images": len(context.val)}


STAGE = Stage("predict", ("segment",), _settings, _inputs, _work)
