"""Settings of the stage relate: one section per affinity network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from weakseg.methods.affinitynet.affinity import Reduction
from weakseg.methods.irnet.network import STRIDE
from weakseg.recipes.refine_sections import Certainty, Preset
from weakseg.recipes.sections import (
    AugmentSection,
    BackboneSection,
    BackgroundSection,
    Positive,
    PositiveInt,
    Section,
    TrainSection,
)

Radius = Annotated[int, Field(ge=2)]


def _check_crop(crop: int, stride: int, radius: int) -> None:
    """At least one pixel of a crop's map needs all its partners."""
    least = stride * (2 * radius - 1)
    if crop < least:
        raise ValueError(f"augment.crop must be at least {least} for stride {stride} and radius {radius}")


class AffinityNetSection(Section):
    """AffinityNet: features whose distance is the affinity of a pair (SPEC 2)."""

    alpha_low: Positive = 4.0
    alpha_high: Positive = 32.0
    crf: Preset | None = None
    stride: Annotated[int, Field(ge=2, le=32)] = 8
    radius: Radius = 5
    reduction: Reduction = "mean"
    levels: PositiveInt = 3
    frozen_levels: Annotated[int, Field(ge=0)] = 0
    widths: tuple[PositiveInt, ...] = (64, 128, 256)
    group_norm: bool = False
    augment: AugmentSection = AugmentSection(pad="black")
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _consistent(self) -> AffinityNetSection:
        if len(self.widths) != self.levels:
            raise ValueError(f"widths must name one width per level: levels is {self.levels}, widths {self.widths}")
        if self.augment.crop % self.stride:
            raise ValueError(f"augment.crop must be a multiple of stride {self.stride}")
        _check_crop(self.augment.crop, self.stride, self.radius)
        return self


class IRNetSection(Section):
    """IRNet: boundaries between pixels of different classes, and displacements to objects' centres (SPEC 3).

    ``foreground`` and ``background`` are the rules of the two passes that find certain pixels of each.
    """

    foreground: BackgroundSection = BackgroundSection(threshold=0.30)
    background: BackgroundSection = BackgroundSection(threshold=0.05)
    crf: Preset | None = None
    certainty: Certainty = 0.7
    radius: Radius = 10
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _consistent(self) -> IRNetSection:
        _check_crop(self.augment.crop, STRIDE, self.radius)
        return self


class RelateSection(Section):
    """The affinity network: ``method`` chooses, the section of that name has its settings.

    ``checkpoint`` is a file of a trained one, a run's or the authors'; then none is trained.
    """

    method: Literal["affinitynet", "irnet"] = "affinitynet"
    checkpoint: str | None = None
    backbone: BackboneSection | None = None
    affinitynet: AffinityNetSection = AffinityNetSection()
    irnet: IRNetSection = IRNetSection()

    @property
    def chosen(self) -> AffinityNetSection | IRNetSection:
        """The settings of the chosen network."""
        return self.irnet if self.method == "irnet" else self.affinitynet
