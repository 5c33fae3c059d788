"""refine: from maps to one palette mask and one confidence map per photo."""

from __future__ import annotations

from typing import Any

from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import write_gray, write_mask
from weakseg.data.sample import Array, Sample
from weakseg.evaluation.presence import presence_in_masks, report_presence
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.mapped import for_each_photo
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe
from weakseg.refine.refinement import build_refinement, to_mask


def _settings(recipe: Recipe) -> Any:
    return recipe.refine.used()


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    classes = context.train.classes
    refine = build_refinement(context.recipe, context.run.weights_path("relate"), context.fabric.device)

    def work(sample: Sample, image: Array, maps: ClassMaps) -> None:
        labels, confidence = to_mask(refine(image, maps), sample.photo_size())
        levels = (confidence * 255).round().byte().numpy()
        write_gray(context.file("refine", "confidence", sample, ".png"), levels)
        # The mask comes last: its presence says that the sample is done.
        write_mask(context.pseudo_mask_path(sample), classes.to_values(labels.numpy()), classes.palette)

    for_each_photo(context, work, context.pseudo_mask_path, "refine")
    presence = presence_in_masks(context)
    report_presence(context.recipe, "refine", presence)
    return {"images": len(context.train), "presence": presence}


STAGE = Stage("refine", ("localize", "relate"), _settings, _inputs, _work)
