"""relate: train the affinity network on the confident parts of the maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weakseg.pipeline.affinity import affinitynet, irnet
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import backbone_of, weights_key
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe

METHODS: dict[str, Callable[[Context], dict[str, Any]]] = {"affinitynet": affinitynet.relate, "irnet": irnet.relate}


def _settings(recipe: Recipe) -> Any:
    section, backbone = recipe.relate, backbone_of(recipe, "relate")
    return [section.method, section.chosen.model_dump(), backbone.model_dump(), weights_key(recipe, "relate")]


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    return METHODS[context.recipe.relate.method](context)


STAGE = Stage("relate", ("localize",), _settings, _inputs, _work)
