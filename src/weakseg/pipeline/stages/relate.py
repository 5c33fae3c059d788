"""relate: train the affinity network on the confident parts of the maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from weakseg.data.classmaps import load_maps
from weakseg.data.examples import AffinityExamples
from weakseg.data.sample import Sample
from weakseg.ops.maps import resize_maps, with_background
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import affinity_network, backbone_of
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.training import train


def seed_reader(context: Context) -> Callable[[Sample], tuple[Tensor, Tensor, tuple[int, ...]]]:
    """A function from a sample to its scores (K+1, H, W) at low and high alpha, background first, and its K labels."""
    section = context.recipe.relate

    def read(sample: Sample) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        maps = load_maps(context.maps_path(sample))
        scores = resize_maps(maps.scores, maps.size)
        low, high = (with_background(scores, alpha) for alpha in (section.alpha_low, section.alpha_high))
        return low, high, maps.classes

    return read


def _settings(recipe: Recipe) -> Any:
    return [recipe.relate.model_dump(), backbone_of(recipe, "relate").model_dump()]


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    section = context.recipe.relate
    model = affinity_network(context.recipe, pretrained=True)
    examples = AffinityExamples(
        context.train,
        seed_reader(context),
        section.augment.build(),
        model.mean,
        model.std,
        stride=section.stride,
    )
    return train(context, "relate", model, examples, section.train.build())


STAGE = Stage("relate", ("localize",), _settings, _inputs, _work)
