"""Settings of the stages relate and refine: one section per affinity network and per refinement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from weakseg.ops.crf import PRESETS
from weakseg.pipeline.sections import (
    AugmentSection,
    BackboneSection,
    Positive,
    PositiveInt,
    Section,
    TrainSection,
    Unit,
)


def _known_preset(name: str | None) -> None:
    if name is not None and name not in PRESETS:
        raise ValueError(f"unknown dense CRF preset; available: {', '.join(PRESETS)}")


class AffinityNetSection(Section):
    """AffinityNet: features whose distance is the affinity of a pair (SPEC 2)."""

    method: Literal["affinitynet"] = "affinitynet"
    backbone: BackboneSection | None = None
    alpha_low: Positive = 4.0
    alpha_high: Positive = 32.0
    crf: str | None = None
    stride: Annotated[int, Field(ge=2, le=32)] = 8
    radius: Annotated[int, Field(ge=2)] = 5
    levels: PositiveInt = 3
    widths: tuple[PositiveInt, ...] = (64, 128, 256)
    augment: AugmentSection = AugmentSection(pad="black")
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _consistent(self) -> AffinityNetSection:
        if len(self.widths) != self.levels:
            raise ValueError(f"widths must name one width per level: levels is {self.levels}, widths {self.widths}")
        if self.augment.crop % self.stride:
            raise ValueError(f"augment.crop must be a multiple of stride {self.stride}")
        _known_preset(self.crf)
        return self


class BackgroundStep(Section):
    """Give the maps a background channel: (1 - max)^alpha, or a constant."""

    method: Literal["background"] = "background"
    alpha: Positive | None = None
    threshold: Unit | None = None

    @model_validator(mode="after")
    def _one(self) -> BackgroundStep:
        if (self.alpha is None) == (self.threshold is None):
            raise ValueError("a background has either alpha or threshold")
        return self


class WalkStep(Section):
    """The random walk over AffinityNet's affinities."""

    method: Literal["walk"] = "walk"
    beta: Positive = 8.0
    log2_steps: Annotated[int, Field(ge=0, le=12)] = 8
    border: Literal["crop", "all"] = "crop"


class PamrStep(Section):
    """Pixel-adaptive mask refinement (SPEC 8)."""

    method: Literal["pamr"] = "pamr"
    iterations: PositiveInt = 10
    dilations: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 2, 4, 8, 12, 24)


class CrfStep(Section):
    """Dense CRF on the scores, background included (SPEC 1.7)."""

    method: Literal["crf"] = "crf"
    preset: str = "psa"

    @model_validator(mode="after")
    def _preset(self) -> CrfStep:
        _known_preset(self.preset)
        return self


RefineStep = Annotated[BackgroundStep | WalkStep | PamrStep | CrfStep, Field(discriminator="method")]
METHODS = ("background", "walk", "pamr", "crf")


class RefineSection(Section):
    """From maps to masks, step by step; the background comes before the masks are cut."""

    steps: tuple[RefineStep, ...] = (BackgroundStep(alpha=16.0), WalkStep())

    @model_validator(mode="after")
    def _background(self) -> RefineSection:
        if sum(step.method == "background" for step in self.steps) != 1:
            raise ValueError("steps needs exactly one step with method: background")
        return self
