"""AffinityNet from class maps to a trained network (Ahn and Kwak, CVPR 2018; docs/methods/affinitynet.md).

Two powers of the background make two sets of scores. A class is certain where it wins against much background, the
background where it wins though there is little of it; a dense CRF may sharpen both first. The network learns features
whose distance tells whether two neighbours belong together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from weakseg.backbones.backbone import Backbone
from weakseg.data.classmaps import ClassMaps, load_levels, save_levels
from weakseg.data.sample import Array, Classes, ImageSet, Sample
from weakseg.data.transforms import Augmentation
from weakseg.methods.affinitynet.affinity import Reduction
from weakseg.methods.affinitynet.examples import AffinityExamples
from weakseg.methods.affinitynet.network import AffinityNet
from weakseg.methods.base import AffinityMethod, ReadMaps
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.pairs import check_crop
from weakseg.refine.background import BackgroundSettings, add_background
from weakseg.refine.steps import Preset
from weakseg.settings import Count, Positive, PositiveInt, Range, settings
from weakseg.training.optim import Schedule
from weakseg.training.sampling import ExampleSource


@settings
class AffinityNetSettings:
    """AffinityNet: features whose distance is the affinity of a pair."""

    alpha_low: Positive = 4.0
    """Exponent of the background that is certainly too strong: what wins against it is certainly of its class."""
    alpha_high: Positive = 32.0
    """Exponent of the background that is certainly too weak: where it wins is certainly background (24 in the
    paper)."""
    crf: Preset | None = None
    """Preset of the dense CRF that sharpens both scores first; null for none."""
    stride: Annotated[int, Interval(ge=2, le=32)] = 8
    """Photo pixels per pixel of the affinity map, a side."""
    radius: Range = 5
    """Pairs are closer than this many map pixels."""
    reduction: Reduction = "mean"
    """Of the L1 distance over the features' channels: "mean" (released code) or "sum" (paper)."""
    levels: PositiveInt = 3
    """How many of the backbone's coarsest levels make the features."""
    frozen_levels: Count = 0
    """How many of the backbone's finest levels are not trained."""
    widths: tuple[PositiveInt, ...] = (64, 128, 256)
    """Channels that each of the levels gives."""
    group_norm: bool = False
    """Normalise each level's channels in groups, as released for VGG16."""
    augment: Augmentation = Augmentation(pad="black")
    """Random changes of the training photos."""
    train: Schedule = Schedule()
    """How long and how fast to train."""

    def __post_init__(self) -> None:
        if len(self.widths) != self.levels:
            raise ValueError(f"widths must name one width per level: levels is {self.levels}, widths {self.widths}")
        if self.augment.crop % self.stride:
            raise ValueError(f"augment.crop must be a multiple of stride {self.stride}")
        check_crop(self.augment.crop, self.stride, self.radius)


class AffinityNetMethod(AffinityMethod):
    """Seeds by two powers of the background, and the network that learns from them."""

    Settings: ClassVar[type[Any]] = AffinityNetSettings
    step: ClassVar[str] = "walk"
    settings: AffinityNetSettings

    def network(self, backbone: Backbone) -> AffinityNet:
        """See `AffinityNet`."""
        own = self.settings
        return AffinityNet(
            backbone,
            levels=tuple(range(len(backbone.channels)))[-own.levels :],
            widths=own.widths,
            group_norm=own.group_norm,
            reduction=own.reduction,
            stride=own.stride,
            radius=own.radius,
            frozen_levels=own.frozen_levels,
        )

    def labels_file(self, folder: Path, name: str) -> Path | None:
        """The high seeds, which come last; none without a dense CRF: then seeds are made when read."""
        return _seed_path(folder, "high", name) if self.settings.crf is not None else None

    def write_labels(
        self, image: Array, maps: ClassMaps, folder: Path, name: str, classes: Classes, device: torch.device
    ) -> None:
        """The dense CRF of the scores at both alphas."""
        for alpha, scored in zip(("low", "high"), self._both_alphas(maps), strict=True):
            unary = unary_from_scores(scored.scores.to(device))
            posterior = dense_crf(image, unary, PRESETS[self.settings.crf or ""]).cpu()
            save_levels(_seed_path(folder, alpha, name), ClassMaps(scored.classes, posterior, maps.size))

    def examples(
        self, images: ImageSet, read_maps: ReadMaps, folder: Path, normalisation: tuple[Any, Any]
    ) -> ExampleSource:
        """Photos with their affinity labels."""

        def seeds(sample: Sample) -> tuple[Tensor, Tensor, tuple[int, ...]]:
            if self.settings.crf is None:
                low, high = self._both_alphas(read_maps(sample))
            else:
                low, high = (load_levels(_seed_path(folder, alpha, sample.id)) for alpha in ("low", "high"))
            return low.scores, high.scores, low.classes[1:]

        own = self.settings
        return AffinityExamples(images, seeds, own.augment, *normalisation, stride=own.stride)

    def label_bytes(self, pixels: int) -> float:
        """Both seeds, compressed."""
        return 0.5 * pixels if self.settings.crf is not None else 0.0

    def _both_alphas(self, maps: ClassMaps) -> tuple[ClassMaps, ClassMaps]:
        own = self.settings
        low, high = (BackgroundSettings(rule="power", alpha=alpha) for alpha in (own.alpha_low, own.alpha_high))
        return add_background(maps, low), add_background(maps, high)


def _seed_path(folder: Path, alpha: str, name: str) -> Path:
    return folder / f"seeds_{alpha}" / f"{name}.npz"
