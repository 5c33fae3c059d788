"""Settings of the stages relate and refine: one section per affinity network and per refinement."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    frozen_levels: Annotated[int, Field(ge=0)] = 0
    widths: tuple[PositiveInt, ...] = (64, 128, 256)
    augment: AugmentSection = AugmentSection(pad="black")
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _consistent(self) -> AffinityNetSection:
        if len(self.widths) != self.levels:
            raise ValueError(f"widths must name one width per level: levels is {self.levels}, widths {self.widths}")
        if self.augment.crop % self.stride:
            raise ValueError(f"augment.crop must be a multiple of stride {self.stride}")
        if self.augment.crop // self.stride < 2 * self.radius - 1:
            least = self.stride * (2 * self.radius - 1)
            raise ValueError(f"augment.crop must be at least {least} for stride {self.stride} and radius {self.radius}")
        _known_preset(self.crf)
        return self


class BackgroundSection(Section):
    """A background channel: ``power`` is (1 - max)^alpha, ``constant`` the threshold."""

    rule: Literal["power", "constant"] = "power"
    alpha: Positive = 16.0
    threshold: Unit = 0.2


class WalkSection(Section):
    """The random walk over AffinityNet's affinities."""

    beta: Positive = 8.0
    log2_steps: Annotated[int, Field(ge=0, le=12)] = 8
    border: Literal["crop", "all"] = "crop"


class PamrSection(Section):
    """Pixel-adaptive mask refinement (SPEC 8)."""

    iterations: PositiveInt = 10
    dilations: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 2, 4, 8, 12, 24)


class CrfSection(Section):
    """Dense CRF on the scores, background included (SPEC 1.7)."""

    preset: str = "psa"

    @model_validator(mode="after")
    def _preset(self) -> CrfSection:
        _known_preset(self.preset)
        return self


StepName = Literal["background", "walk", "pamr", "crf"]


class RefineSection(Section):
    """From maps to masks: the steps by name, in order, and the settings of each."""

    steps: tuple[StepName, ...] = ("background", "walk")
    background: BackgroundSection = BackgroundSection()
    walk: WalkSection = WalkSection()
    pamr: PamrSection = PamrSection()
    crf: CrfSection = CrfSection()

    @model_validator(mode="after")
    def _background(self) -> RefineSection:
        if self.steps.count("background") != 1:
            raise ValueError("steps needs background exactly once")
        return self

    def used(self) -> dict[str, Any]:
        """The settings of the steps that are taken."""
        return self.model_dump(include={"steps", *self.steps})
