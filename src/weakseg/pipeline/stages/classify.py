"""classify: train the CAM network on tags."""

from __future__ import annotations

import time
from typing import Any

from weakseg.data.examples import TaggedExamples
from weakseg.data.sample import ImageSet
from weakseg.evaluation.tagging import hold_back, judged_by, report_knowledge, tag_knowledge
from weakseg.pipeline.guides import build_guides
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import backbone_of, cam_network, trained, weights_key
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.training import keep, train
from weakseg.recipes.recipe import Recipe


def _settings(recipe: Recipe) -> Any:
    section, backbone = recipe.classify.model_dump(), backbone_of(recipe, "classify")
    return [section | {"checkpoint": None}, backbone.model_dump(), weights_key(recipe, "classify")]


def _inputs(context: Context) -> Any:
    # Which photos are held back depends on whether there are others to judge the classifier by.
    return [fingerprint(context.train), len(_held_back(context)[1])]


def _held_back(context: Context) -> tuple[ImageSet, ImageSet]:
    """What is learnt from, and what is held back to judge the classifier by where there is no validation list."""
    judged_by_others = context.val is not None or context.recipe.classify.checkpoint is not None
    share = 0.0 if judged_by_others else context.recipe.classify.held_back
    return hold_back(context.train, share, context.seed("held back"))


def _work(context: Context) -> dict[str, Any]:
    summary = _train(context)
    recipe, device = context.recipe, context.fabric.device
    network = cam_network(recipe, len(context.train.classes), pretrained=False)
    model = trained(network, context.run.weights_path("classify"), device)
    images, on = judged_by(context, _held_back(context)[1])
    found = tag_knowledge(model, images, device, on)
    report_knowledge(found)
    return summary | {"tags": found}


def _train(context: Context) -> dict[str, Any]:
    section = context.recipe.classify
    model = cam_network(context.recipe, len(context.train.classes), pretrained=True)
    if section.checkpoint is not None:
        return keep(context, "classify", model)
    began = time.perf_counter()
    guides = build_guides(context, model)
    guide_seconds = time.perf_counter() - began
    examples = TaggedExamples(_held_back(context)[0], section.augment.build(), model.mean, model.std, guides)

    def pace(share: float) -> None:
        model.progress = share

    summary = train(context, "classify", model, examples, section.train.build(), pace)
    return summary | {"guide_seconds": round(guide_seconds, 3)}


STAGE = Stage("classify", (), _settings, _inputs, _work)
