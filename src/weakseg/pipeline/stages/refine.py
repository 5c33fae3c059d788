"""refine: from maps to one palette mask and one confidence map per photo."""

from __future__ import annotations

from typing import Any

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import write_gray, write_mask
from weakseg.data.sample import Array, Sample
from weakseg.engine.infer import process
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.refinement import build_refinements, only_background, to_mask
from weakseg.pipeline.stage import Context, Stage


def _settings(recipe: Recipe) -> Any:
    return recipe.refine.used()


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    classes = context.train.classes
    steps = build_refinements(context.recipe, context.folder("relate") / "weights.safetensors", context.fabric.device)

    def load(sample: Sample) -> tuple[Array, ClassMaps]:
        return sample.read_image(), load_maps(context.maps_path(sample))

    def work(sample: Sample, loaded: tuple[Array, ClassMaps]) -> None:
        image, maps = loaded
        for step in steps if maps.classes else (only_background,):
            maps = step(image, maps)
        labels, confidence = to_mask(maps)
        levels = (confidence * 255).round().byte().numpy()
        write_gray(context.file("refine", "confidence", sample, ".png"), levels)
        # The mask comes last: its presence says that the sample is done.
        write_mask(context.pseudo_mask_path(sample), classes.to_values(labels.numpy()), classes.palette)

    process(
        context.train.samples,
        load,
        work,
        context.pseudo_mask_path,
        title="refine",
        workers=context.recipe.hardware.workers,
    )
    return {"images": len(context.train)}


STAGE = Stage("refine", ("localize", "relate"), _settings, _inputs, _work)
