"""evaluate: score every stage's masks where there is ground truth; metrics.json."""

from __future__ import annotations

from typing import Any

from weakseg.data.classmaps import load_maps
from weakseg.data.images import read_mask
from weakseg.data.sample import ImageSet
from weakseg.evaluation.scoring import score_maps, score_masks
from weakseg.files import write_json
from weakseg.pipeline.inputs import mask_fingerprint
from weakseg.pipeline.stage import Context, Stage
from weakseg.recipes.recipe import Recipe
from weakseg.report.pictures import draw_pictures


def _settings(recipe: Recipe) -> Any:
    return {"background": recipe.localize.background.used(), "stages": recipe.stages, **recipe.data.model_dump()}


def _inputs(context: Context) -> Any:
    return [mask_fingerprint(images) for images in _true_masks(context) if images]


def _true_masks(context: Context) -> tuple[ImageSet, ImageSet | None]:
    return context.scored(), context.true_masks("val") if context.val else None


def _work(context: Context) -> dict[str, Any]:
    recipe = context.recipe
    train, val = _true_masks(context)
    metrics: dict[str, Any] = {}
    if "localize" in recipe.stages:
        scored = score_maps(
            train,
            lambda sample: load_maps(context.maps_path(sample)),
            recipe.localize.background,
            "evaluate localize",
        )
        metrics["localize"] = {"split": recipe.data.scored, **scored.to_dict()}
    if "refine" in recipe.stages:
        scored = score_masks(train, lambda sample: read_mask(context.pseudo_mask_path(sample)), "evaluate refine")
        metrics["refine"] = {"split": recipe.data.scored, **scored.to_dict()}
    if "predict" in recipe.stages and val is not None:
        scored = score_masks(val, lambda sample: read_mask(context.prediction_path(sample)), "evaluate predict")
        metrics["predict"] = {"split": recipe.data.val, **scored.to_dict()}
    write_json(context.run.folder / "metrics.json", metrics)
    drawn = draw_pictures(context, train, val)
    problems = sum(len(entry["left_out"]) for entry in metrics.values())
    return {"problems": problems, "pictures": [path.name for path in drawn]}


STAGE = Stage("evaluate", ("localize", "refine", "instances", "predict"), _settings, _inputs, _work)
