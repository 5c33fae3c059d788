"""relate: train the affinity network on the confident parts of the maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from weakseg.data.classmaps import ClassMaps, load_maps, save_maps
from weakseg.data.examples import AffinityExamples
from weakseg.data.sample import Array, Sample
from weakseg.engine.infer import process
from weakseg.ops.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.maps import resize_maps, with_background
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import affinity_network, backbone_of, weights_origin
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.stage import Context, Stage
from weakseg.pipeline.training import train


def _settings(recipe: Recipe) -> Any:
    backbone = backbone_of(recipe, "relate")
    return [recipe.relate.model_dump(), backbone.model_dump(), weights_origin(backbone)]


def _inputs(context: Context) -> Any:
    return fingerprint(context.train)


def _seed_path(context: Context, alpha: str, sample: Sample) -> Path:
    return context.file("relate", f"seeds_{alpha}", sample, ".safetensors")


def _write_crf_seeds(context: Context) -> None:
    """The dense CRF of every photo's scores at both alphas, once, before the training (SPEC 2, "CRF seeds")."""
    section, device = context.recipe.relate, context.fabric.device

    def load(sample: Sample) -> tuple[Array, ClassMaps]:
        return sample.read_image(), load_maps(context.maps_path(sample))

    def work(sample: Sample, loaded: tuple[Array, ClassMaps]) -> None:
        image, maps = loaded
        scores = resize_maps(maps.scores, maps.size)
        # The high seeds come last: their presence says that the sample is done.
        for name, alpha in (("low", section.alpha_low), ("high", section.alpha_high)):
            unary = unary_from_scores(with_background(scores, alpha).to(device))
            posterior = dense_crf(image, unary, PRESETS[section.crf or ""]).cpu()
            save_maps(_seed_path(context, name, sample), ClassMaps((0, *maps.classes), posterior, maps.size))

    process(
        context.train.samples,
        load,
        work,
        lambda sample: _seed_path(context, "high", sample),
        title="relate: dense CRF seeds",
        workers=context.recipe.hardware.workers,
    )


def _read_seeds(context: Context, sample: Sample) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Scores (K+1, H, W) at low and at high alpha, background first, and the K labels."""
    section = context.recipe.relate
    if section.crf is not None:
        low, high = (load_maps(_seed_path(context, name, sample)) for name in ("low", "high"))
        return low.scores, high.scores, low.classes[1:]
    maps = load_maps(context.maps_path(sample))
    scores = resize_maps(maps.scores, maps.size)
    return with_background(scores, section.alpha_low), with_background(scores, section.alpha_high), maps.classes


def _work(context: Context) -> dict[str, Any]:
    section = context.recipe.relate
    if section.crf is not None:
        _write_crf_seeds(context)
    model = affinity_network(context.recipe, pretrained=True)
    examples = AffinityExamples(
        context.train,
        lambda sample: _read_seeds(context, sample),
        section.augment.build(),
        model.mean,
        model.std,
        stride=section.stride,
    )
    return train(context, "relate", model, examples, section.train.build())


STAGE = Stage("relate", ("localize",), _settings, _inputs, _work)
