"""AffinityNet: seeds by two powers of the background, then features whose distance is the affinity (SPEC 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from weakseg.data.classmaps import ClassMaps, load_levels, load_maps, save_levels
from weakseg.data.examples import AffinityExamples
from weakseg.data.sample import Array, Sample
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.pipeline.mapped import for_each_photo
from weakseg.pipeline.networks import affinity_network
from weakseg.pipeline.stage import Context
from weakseg.pipeline.training import keep, train
from weakseg.recipes.sections import BackgroundSection
from weakseg.refine.background import add_background


def relate(context: Context) -> dict[str, Any]:
    """Train the network of the recipe's section ``relate.affinitynet``; gives the summary of the training."""
    section = context.recipe.relate.affinitynet
    model = affinity_network(context.recipe, pretrained=True)
    if context.recipe.relate.checkpoint is not None:
        return keep(context, "relate", model)
    if section.crf is not None:
        _write_crf_seeds(context)
    examples = AffinityExamples(
        context.train,
        lambda sample: _read_seeds(context, sample),
        section.augment.build(),
        model.mean,
        model.std,
        stride=section.stride,
    )
    return train(context, "relate", model, examples, section.train.build())


def _write_crf_seeds(context: Context) -> None:
    """The dense CRF of every photo's scores at both alphas, once, before the training (SPEC 2, "CRF seeds")."""
    section, device = context.recipe.relate.affinitynet, context.fabric.device

    def work(sample: Sample, image: Array, maps: ClassMaps) -> None:
        # The high seeds come last: their presence says that the sample is done.
        for name, scored in zip(("low", "high"), _both_alphas(context, maps), strict=True):
            unary = unary_from_scores(scored.scores.to(device))
            posterior = dense_crf(image, unary, PRESETS[section.crf or ""]).cpu()
            save_levels(_seed_path(context, name, sample), ClassMaps(scored.classes, posterior, maps.size))

    for_each_photo(context, work, lambda sample: _seed_path(context, "high", sample), "relate: dense CRF seeds")


def _read_seeds(context: Context, sample: Sample) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Scores (K+1, H, W) at low and at high alpha, background first, and the K labels."""
    if context.recipe.relate.affinitynet.crf is not None:
        low, high = (load_levels(_seed_path(context, name, sample)) for name in ("low", "high"))
    else:
        low, high = _both_alphas(context, load_maps(context.maps_path(sample)))
    return low.scores, high.scores, low.classes[1:]


def _both_alphas(context: Context, maps: ClassMaps) -> tuple[ClassMaps, ClassMaps]:
    section = context.recipe.relate.affinitynet
    low, high = (BackgroundSection(rule="power", alpha=alpha) for alpha in (section.alpha_low, section.alpha_high))
    return add_background(maps, low), add_background(maps, high)


def _seed_path(context: Context, alpha: str, sample: Sample) -> Path:
    return context.file("relate", f"seeds_{alpha}", sample, ".npz")
