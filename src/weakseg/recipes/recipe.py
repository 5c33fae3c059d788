"""The recipe: a validated tree that says everything a result depends on."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from weakseg.recipes.refine_sections import WALKS, InstancesSection, Preset, RefineSection
from weakseg.recipes.relate_sections import RelateSection
from weakseg.recipes.sections import (
    AugmentSection,
    BackboneSection,
    ClassifySection,
    DataSection,
    LocalizeSection,
    PositiveInt,
    Scale,
    Section,
    TrainSection,
)

StageName = Literal["classify", "localize", "relate", "refine", "instances", "segment", "predict", "evaluate"]
STAGES: tuple[StageName, ...] = get_args(StageName)
NEEDS: dict[StageName, tuple[StageName, ...]] = {
    "localize": ("classify",),
    "relate": ("localize",),
    "refine": ("localize",),
    "instances": ("localize", "relate"),
    "segment": ("refine",),
    "predict": ("segment",),
}
DEFAULT_STAGES = tuple(stage for stage in STAGES if stage != "instances")


class SegmentSection(Section):
    """The segmentation network."""

    network: str = "deeplabv3plus"
    backbone: BackboneSection | None = None
    targets: Literal["pseudo", "truth"] = "pseudo"
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _batch(self) -> SegmentSection:
        if self.train.batch_size < 2:
            raise ValueError("train.batch_size must be at least 2: the decoder normalises over the batch")
        return self


class PredictSection(Section):
    """Segmentation inference. ``crf`` is a preset of the dense CRF that refines the network's probabilities."""

    scales: Annotated[tuple[Scale, ...], Field(min_length=1)] = (1.0,)
    flip: bool = True
    crf: Preset | None = None


class HardwareSection(Section):
    """Where and how it runs; no result depends on it but for rounding."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: PositiveInt = 1
    precision: str = "32-true"
    workers: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0


class Recipe(Section):
    """One system, from tags to masks."""

    name: str
    description: str = ""
    stages: Annotated[tuple[StageName, ...], Field(min_length=1)] = DEFAULT_STAGES
    seed: Annotated[int, Field(ge=0)] = 0
    chosen_with_masks: str = ""
    data: DataSection = DataSection()
    backbone: BackboneSection = BackboneSection()
    classify: ClassifySection = ClassifySection()
    localize: LocalizeSection = LocalizeSection()
    relate: RelateSection = RelateSection()
    refine: RefineSection = RefineSection()
    instances: InstancesSection = InstancesSection()
    segment: SegmentSection = SegmentSection()
    predict: PredictSection = PredictSection()
    hardware: HardwareSection = HardwareSection()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        order = [STAGES.index(stage) for stage in self.stages]
        if order != sorted(set(order)):
            raise ValueError(f"stages must be distinct and in the order {', '.join(STAGES)}")
        for stage, sources in NEEDS.items():
            missing = [name for name in sources if name not in self.stages]
            if stage in self.stages and missing and not (stage == "segment" and self.uses_true_masks):
                raise ValueError(f"stages: {stage} needs {', '.join(missing)}")
        self._check_walks()
        return self

    def _check_walks(self) -> None:
        """A walk, and the search for instances, need the affinity network that was made for them."""
        needs = [(f"refine.steps has {step}", WALKS[step]) for step in self.refine.steps if step in WALKS]
        needs = needs if "refine" in self.stages else []
        if "instances" in self.stages:
            needs.append(("stages has instances", "irnet"))
        for what, method in needs:
            if "relate" not in self.stages:
                raise ValueError(f"{what}, which needs the stage relate")
            if self.relate.method != method:
                step = next(step for step, name in WALKS.items() if name == self.relate.method)
                raise ValueError(
                    f"{what}, which needs relate.method={method}; set that or leave it out "
                    f"({self.relate.method} has the refinement {step})"
                )

    @property
    def methods(self) -> dict[StageName, list[str]]:
        """What the stages do that can do several things: the names of methods, networks and refinements."""
        return {
            "classify": [self.classify.method],
            "relate": [self.relate.method],
            "refine": list(self.refine.steps),
            "segment": [self.segment.network],
        }

    @property
    def uses_true_masks(self) -> bool:
        """Whether training opens ground-truth masks (the upper bound ``supervised`` alone)."""
        return self.segment.targets == "truth"
