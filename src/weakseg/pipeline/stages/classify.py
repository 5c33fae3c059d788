"""classify: train the CAM network on tags."""

from __future__ import annotations

import time
from typing import Any

from weakseg.data.examples import TaggedExamples
from weakseg.pipeline.guides import build_guides
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import backbone_of, cam_network, weights_key
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.training import keep, train


def _settings(recipe: Recipe) -> Any:
    section, backbone = recipe.classify.model_dump(), backbone_of(recipe, "classify")
    return [section | {"checkpoint": None}, backbone.model_dump(), weights_key(recipe, "classify")]


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _work(context: Context) -> dict[str, Any]:
    section = context.recipe.classify
    model = cam_network(context.recipe, len(context.train.classes), pretrained=True)
    if section.checkpoint is not None:
        return keep(context, "classify", model)
    began = time.perf_counter()
    guides = build_guides(context, model)
    guide_seconds = time.perf_counter() - began
    examples = TaggedExamples(context.train, section.augment.build(), model.mean, model.std, guides)

    def pace(share: float) -> None:
        model.progress = share

    summary = train(context, "classify", model, examples, section.train.build(), pace)
    return summary | {"guide_seconds": round(guide_seconds, 3)}


STAGE = Stage("classify", (), _settings, _inputs, _work)
