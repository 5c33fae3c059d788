"""segment: train the segmentation network on the pseudo masks (or, as the upper bound, on the true ones)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weakseg.data.examples import LabelledExamples
from weakseg.data.images import Size, read_mask, resize_mask
from weakseg.data.sample import Array, Sample
from weakseg.pipeline.inputs import fingerprint, mask_fingerprint
from weakseg.pipeline.networks import backbone_of, segmentation_network, weights_key
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.training import train
from weakseg.recipes.recipe import Recipe


def _settings(recipe: Recipe) -> Any:
    backbone = backbone_of(recipe, "segment")
    return [recipe.segment.model_dump(), backbone.model_dump(), weights_key(recipe, "segment")]


def _inputs(context: Context) -> Any:
    if context.recipe.uses_true_masks:
        return [fingerprint(context.train), mask_fingerprint(context.true_masks("train"))]
    return fingerprint(context.train)


def _label_reader(context: Context) -> Callable[[Sample, Size], Array]:
    """Reads the labels of a sample, at the size (H, W) at which its photo is learnt from."""
    classes = context.train.classes
    if context.recipe.uses_true_masks:
        with_masks = {sample.id: sample for sample in context.true_masks("train").samples}
        return lambda sample, size: classes.to_labels(resize_mask(with_masks[sample.id].read_mask(), size))
    return lambda sample, size: classes.to_labels(resize_mask(read_mask(context.pseudo_mask_path(sample)), size))


def _work(context: Context) -> dict[str, Any]:
    section, classes = context.recipe.segment, context.train.classes
    model = segmentation_network(context.recipe, len(classes), pretrained=True)
    examples = LabelledExamples(context.train, _label_reader(context), section.augment.build(), model.mean, model.std)
    return train(context, "segment", model, examples, section.train.build())


STAGE = Stage("segment", ("refine",), _settings, _inputs, _work)
