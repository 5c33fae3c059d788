"""The stages of a run: what each of the plain functions in `weakseg.pipeline.stages` is given of recipe and run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.evaluation.expected import expect_all
from weakseg.evaluation.presence import presence_in_maps, presence_in_masks
from weakseg.evaluation.tagging import hold_back, tag_knowledge
from weakseg.files import write_json
from weakseg.methods.base import CamMethod
from weakseg.methods.irnet.network import IRNet
from weakseg.pipeline.doubts import report_knowledge, report_presence
from weakseg.pipeline.given import MAPS, MASKS, given_contents, take_maps, take_masks
from weakseg.pipeline.inputs import fingerprint, mask_fingerprint
from weakseg.pipeline.masklist import write_mask_list
from weakseg.pipeline.networks import (
    affinity_method,
    affinity_network,
    backbone_of,
    seed_method,
    segmentation_network,
    weights_key,
)
from weakseg.pipeline.refinement import build_refinement
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.stages.classify import classify
from weakseg.pipeline.stages.evaluate import evaluate
from weakseg.pipeline.stages.instances import instances
from weakseg.pipeline.stages.localize import localize
from weakseg.pipeline.stages.predict import predict
from weakseg.pipeline.stages.refine import refine
from weakseg.pipeline.stages.relate import relate
from weakseg.pipeline.stages.segment import segment
from weakseg.pipeline.stages.selftrain import selftrain
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import StageName
from weakseg.settings import plain
from weakseg.training.checkpoint import load_weights, trained
from weakseg.training.progress import say
from weakseg.training.ranks import is_first


def _train_list(context: Context) -> Any:
    return fingerprint(context.train)


def _classify_settings(recipe: Recipe) -> Any:
    section = plain(recipe.classify) | {"checkpoint": None}
    return [section, plain(backbone_of(recipe, "classify")), weights_key(recipe, "classify")]


def _classify_inputs(context: Context) -> Any:
    # Which photos are held back depends on whether there are others to judge the classifier by.
    return [fingerprint(context.train), len(_held_back(context)[1])]


def _held_back(context: Context) -> tuple[ImageSet, ImageSet]:
    """What is learnt from, and what is held back to judge the classifier by where there is no validation list."""
    judged_by_others = context.val is not None or context.recipe.classify.checkpoint is not None
    share = 0.0 if judged_by_others else context.recipe.classify.held_back
    return hold_back(context.train, share, context.seed("held back"))


def _judged_by(context: Context, held: ImageSet) -> tuple[ImageSet, str]:
    """The photos that the classifier is judged by, and what they are called."""
    data = context.recipe.data
    if context.val is not None and any(sample.tags for sample in context.val.samples):
        return context.val.at_most(data.long_side), data.val
    if len(held):
        return held, f"held back from {data.train}"
    return context.train, f"{data.train}, which it was trained on"


def _classify(context: Context) -> dict[str, Any]:
    section, names, folder = context.recipe.classify, context.train.classes.names, context.folder("classify")
    network = cast(CamMethod, seed_method(context.recipe, names, pretrained=True))
    learnt, held = _held_back(context)
    if section.checkpoint is not None:
        summary = context.trainer.keep(network, folder, title="classify")
    else:
        summary = classify(
            network,
            learnt,
            folder,
            context.trainer,
            augment=section.augment,
            schedule=section.train,
            seed=context.seed("classify"),
            guided=context.train,
        )
    if not is_first():
        return summary
    device = context.fabric.device
    judged, on = _judged_by(context, held)
    model = trained(_seeds(context), context.run.weights_path("classify"), device)
    found = tag_knowledge(cast(CamMethod, model), judged, device, on)
    report_knowledge(found)
    return summary | {"tags": found}


def _seeds(context: Context) -> Any:
    return seed_method(context.recipe, context.train.classes.names, pretrained=False)


def _localize_settings(recipe: Recipe) -> Any:
    section = plain(recipe.localize)
    section.pop("background")
    given = section.pop("maps") is not None
    if given:
        return section["stride"]
    if "classify" in recipe.stages:
        return section
    own, backbone = recipe.classify, plain(backbone_of(recipe, "classify"))
    return [section, own.method, plain(own.options), backbone, weights_key(recipe, "classify")]


def _localize_inputs(context: Context) -> Any:
    listed, maps = fingerprint(context.train), context.recipe.localize.maps
    return listed if maps is None else [listed, given_contents(Path(maps), context.train, MAPS, "localize.maps")]


def _localize(context: Context) -> dict[str, Any]:
    recipe, device = context.recipe, context.fabric.device
    if recipe.localize.maps is not None:
        take_maps(Path(recipe.localize.maps), context.train, context.maps_path, stride=recipe.localize.stride)
        return _located(context)
    if "classify" in recipe.stages:
        method = trained(_seeds(context), context.run.weights_path("classify"), device)
    else:  # it needs no training
        method = seed_method(recipe, context.train.classes.names, pretrained=True).to(device).eval()
    localize(
        method,
        context.train,
        context.maps_path,
        views=recipe.localize,
        device=device,
        workers=recipe.hardware.workers,
    )
    return _located(context)


def _located(context: Context) -> dict[str, Any]:
    """Say and tell which tags have no pixel in the class maps."""
    presence = presence_in_maps(context.train, context.read_maps, context.recipe.localize.background)
    report_presence(context.recipe, "localize", presence, needed=False)
    return {"images": len(context.train), "presence": presence}


def _relate_settings(recipe: Recipe) -> Any:
    section = recipe.relate
    backbone = plain(backbone_of(recipe, "relate"))
    return [section.method, plain(section.chosen), backbone, weights_key(recipe, "relate")]


def _relate(context: Context) -> dict[str, Any]:
    network, folder = affinity_network(context.recipe, pretrained=True), context.folder("relate")
    if context.recipe.relate.checkpoint is not None:
        return context.trainer.keep(network, folder, title="relate")
    return relate(
        affinity_method(context.recipe),
        network,
        context.train,
        context.read_maps,
        folder,
        context.trainer,
        seed=context.seed("relate"),
    )


def _refine_settings(recipe: Recipe) -> Any:
    section = recipe.refine
    if section.masks is not None:
        return None
    return [section.steps, {name: plain(section.of(name)) for name in section.steps}]


def _refine_inputs(context: Context) -> Any:
    listed, masks = fingerprint(context.train), context.recipe.refine.masks
    return listed if masks is None else [listed, given_contents(Path(masks), context.train, MASKS, "refine.masks")]


def _refine(context: Context) -> dict[str, Any]:
    recipe = context.recipe
    if recipe.refine.masks is not None:
        masks, confidence = (
            partial(path, stage="refine") for path in (context.pseudo_mask_path, context.confidence_path)
        )
        take_masks(Path(recipe.refine.masks), context.train, masks, confidence)
        return _present(context, "refine")
    refine(
        build_refinement(recipe, context.run.weights_path("relate"), context.fabric.device),
        context.train,
        context.read_maps,
        partial(context.pseudo_mask_path, stage="refine"),
        partial(context.confidence_path, stage="refine"),
        workers=recipe.hardware.workers,
    )
    return _present(context, "refine")


def _present(context: Context, stage: StageName) -> dict[str, Any]:
    """Say and tell which tags have no pixel in a stage's masks, and list what is expected of them."""
    read = partial(context.read_pseudo_mask, stage=stage)
    presence = presence_in_masks(context.train, read)
    report_presence(context.recipe, stage, presence, needed=not context.rehearsal)
    before = partial(context.read_pseudo_mask, stage="refine") if stage == "selftrain" else None
    expected = expect_all(context.train, read, partial(context.read_confidence, stage=stage), before)
    if is_first():
        write_mask_list(context.folder(stage), expected)
    return {"images": len(context.train), "presence": presence}


def _instances_settings(recipe: Recipe) -> Any:
    return [plain(recipe.instances), plain(recipe.refine.of("boundary_walk"))]


def _instances(context: Context) -> dict[str, Any]:
    recipe, device = context.recipe, context.fabric.device
    network = trained(affinity_network(recipe, pretrained=False), context.run.weights_path("relate"), device)
    count = instances(
        cast(IRNet, network),
        context.train,
        context.read_maps,
        context.instances_path,
        context.folder("instances") / "instances.json",
        settings=recipe.instances,
        walk=recipe.refine.of("boundary_walk"),
        device=device,
        workers=recipe.hardware.workers,
    )
    return {"images": len(context.train), "instances": count}


def _selftrain_settings(recipe: Recipe) -> Any:
    network = [*_network_settings(recipe), plain(backbone_of(recipe, "selftrain"))]
    return [plain(recipe.selftrain), recipe.data.long_side, *network, weights_key(recipe, "selftrain")]


def _network_settings(recipe: Recipe) -> list[Any]:
    """What the segmentation network is built with: its own settings, not those of others."""
    own = recipe.segment
    return [own.network, plain(own.chosen), own.balance, own.frozen_levels]


def _taught_list(context: Context) -> Any:
    reviewed = context.reviews.key()
    listed = fingerprint(context.train)
    return listed if reviewed is None else [listed, reviewed]


def _selftrain(context: Context) -> dict[str, Any]:
    recipe, own = context.recipe, context.recipe.selftrain
    summary = selftrain(
        segmentation_network(recipe, len(context.train.classes), pretrained=True, stage="selftrain"),
        context.train,
        partial(context.read_taught_mask, stage="refine"),
        partial(context.pseudo_mask_path, stage="selftrain"),
        partial(context.confidence_path, stage="selftrain"),
        context.folder("selftrain"),
        context.trainer,
        augment=own.augment,
        schedule=own.train,
        views=own.views,
        long_side=recipe.data.long_side,
        seed=context.seed("selftrain"),
        rejected=context.reviews.rejected,
        drawn=frozenset(context.reviews.drawn),
        learnt=context.read_sure_mask,
        unbalance=own.unbalance,
    )
    return summary | _present(context, "selftrain")


def _segment_settings(recipe: Recipe) -> Any:
    own, backbone = recipe.segment, plain(backbone_of(recipe, "segment"))
    trained = None if own.checkpoint is not None else [own.targets, own.start, plain(own.augment), plain(own.train)]
    return [*_network_settings(recipe), trained, backbone, weights_key(recipe, "segment")]


def _segment_inputs(context: Context) -> Any:
    if context.recipe.uses_true_masks:
        return [fingerprint(context.train), mask_fingerprint(context.true_masks("train"))]
    return _taught_list(context)


def _segment(context: Context) -> dict[str, Any]:
    section = context.recipe.segment
    images, read = context.reviews.taught(context.train), cast(Callable[[Sample], Array], context.read_taught_mask)
    fresh = section.start == "backbone"
    network = segmentation_network(context.recipe, len(context.train.classes), pretrained=fresh)
    if section.checkpoint is not None:
        return context.trainer.keep(network, context.folder("segment"), title="segment")
    if not fresh:
        load_weights(context.run.weights_path("selftrain"), network)
    if context.recipe.uses_true_masks:
        images = context.train
        with_masks = {sample.id: sample for sample in context.true_masks("train").samples}
        read = lambda sample: with_masks[sample.id].read_mask()  # noqa: E731
    return segment(
        network,
        images,
        read,
        context.folder("segment"),
        context.trainer,
        augment=section.augment,
        schedule=section.train,
        seed=context.seed("segment"),
    )


def _predict(context: Context) -> dict[str, Any]:
    recipe, device = context.recipe, context.fabric.device
    if context.val is None:
        say(f"predict: the data have no split {recipe.data.val!r}, nothing to predict")
        return {"images": 0}
    network = segmentation_network(recipe, len(context.val.classes), pretrained=False)
    predict(
        trained(network, context.run.weights_path("segment"), device),
        context.val,
        context.prediction_path,
        settings=recipe.predict,
        long_side=recipe.data.long_side,
        device=device,
        workers=recipe.hardware.workers,
    )
    return {"images": len(context.val)}


def _evaluate_settings(recipe: Recipe) -> Any:
    lists = {key: value for key, value in plain(recipe.data).items() if key != "reviews"}
    return {"background": recipe.localize.background.used(), "stages": recipe.stages, **lists}


def _evaluate_inputs(context: Context) -> Any:
    return [mask_fingerprint(images) for images in context.scored_lists() if images]


def _evaluate(context: Context) -> dict[str, Any]:
    if not is_first():
        return {}
    recipe, (train, val) = context.recipe, context.scored_lists()
    metrics = evaluate(
        train,
        val,
        maps=(context.read_maps, recipe.localize.background) if "localize" in recipe.stages else None,
        pseudo_masks={stage: partial(context.read_pseudo_mask, stage=stage) for stage in recipe.mask_stages},
        predictions=context.read_prediction if "predict" in recipe.stages else None,
        names=(recipe.data.scored, recipe.data.val),
    )
    write_json(context.run.folder / "metrics.json", metrics)
    return {"problems": sum(len(entry["left_out"]) for entry in metrics.values())}


ALL: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("classify", _classify_settings, _classify_inputs, _classify),
        Stage("localize", _localize_settings, _localize_inputs, _localize),
        Stage("relate", _relate_settings, _train_list, _relate),
        Stage("refine", _refine_settings, _refine_inputs, _refine),
        Stage("instances", _instances_settings, _train_list, _instances),
        Stage("selftrain", _selftrain_settings, _taught_list, _selftrain),
        Stage("segment", _segment_settings, _segment_inputs, _segment),
        Stage(
            "predict",
            lambda recipe: [plain(recipe.predict), recipe.data.long_side],
            lambda context: fingerprint(context.val),
            _predict,
        ),
        Stage("evaluate", _evaluate_settings, _evaluate_inputs, _evaluate),
    )
}
"""Every stage by name, in the order in which a recipe may have them."""
