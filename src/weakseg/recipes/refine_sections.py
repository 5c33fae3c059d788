"""Settings of the stages refine and instances: one section per refinement."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from weakseg.ops.densecrf.crf import PRESETS
from weakseg.ops.pamr import DILATIONS, Kernel
from weakseg.recipes.sections import BackgroundSection, Positive, PositiveInt, Section, Unit


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"unknown dense CRF preset {name!r}; available: {', '.join(PRESETS)}")
    return name


Preset = Annotated[str, AfterValidator(_known_preset)]
Certainty = Annotated[float, Field(ge=0.5, lt=1)]
"""The probability that a label is right, from which a dense CRF starts."""


class WalkSection(Section):
    """The random walk over AffinityNet's affinities."""

    beta: Positive = 8.0
    log2_steps: Annotated[int, Field(ge=0, le=12)] = 8
    border: Literal["crop", "all"] = "crop"


class BoundaryWalkSection(Section):
    """The random walk within IRNet's boundaries; scores start to the power of ``power`` (SPEC 3 and 7)."""

    beta: Positive = 10.0
    log2_steps: Annotated[int, Field(ge=0, le=12)] = 8
    radius: Annotated[int, Field(ge=2)] = 5
    power: Positive = 1.0


class PamrSection(Section):
    """Pixel-adaptive mask refinement (SPEC 8)."""

    iterations: PositiveInt = 10
    dilations: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = DILATIONS
    kernel: Kernel = "exponential"


class CrfSection(Section):
    """Dense CRF (SPEC 1.7), on the scores, background included; or with a ``certainty`` on the strongest labels.

    SIPE's and AE-SIPE's "+ DenseCRF" are labels of certainty 0.7 with preset irn.
    """

    preset: Preset = "psa"
    certainty: Certainty | None = None


StepName = Literal["background", "walk", "boundary_walk", "pamr", "crf"]
WALKS: dict[StepName, str] = {"walk": "affinitynet", "boundary_walk": "irnet"}
"""The affinity network that a walk needs."""


class RefineSection(Section):
    """From maps to masks: the steps by name, in order, and the settings of each."""

    steps: tuple[StepName, ...] = ("background", "walk")
    background: BackgroundSection = BackgroundSection(rule="power")
    walk: WalkSection = WalkSection()
    boundary_walk: BoundaryWalkSection = BoundaryWalkSection()
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


class InstancesSection(Section):
    """Objects one by one, by IRNet (SPEC 3 "Instance path"); their walk is that of refine.boundary_walk."""

    threshold: Unit = 0.25
    min_area: Unit = 0.01
