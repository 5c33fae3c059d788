"""The recipe: a validated tree that says everything a result depends on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weakseg.data.transforms import Augmentation
from weakseg.engine.train import Schedule

Stride = Literal[8, 16, 32]
Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(ge=1)]

StageName = Literal["classify", "localize", "relate", "refine", "segment", "predict", "evaluate"]
STAGES: tuple[StageName, ...] = get_args(StageName)


class Section(BaseModel):
    """A part of a recipe: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BackboneSection(Section):
    """A timm network."""

    name: str = "tf_efficientnet_lite0"
    output_stride: Stride = 16
    dilation: bool = True
    batch_norm: Literal["frozen", "affine", "train"] = "frozen"
    weights: str = "packaged"


class AugmentSection(Section):
    """Random changes of a training photo; see weakseg.data.transforms.Augmentation."""

    crop: Annotated[int, Field(ge=32, multiple_of=8)] = 448
    long_side: tuple[PositiveInt, PositiveInt] | None = None
    scale: tuple[Positive, Positive] | None = None
    flip: Unit = 0.5
    jitter: tuple[Unit, Unit, Unit, Annotated[float, Field(ge=0, le=0.5)]] | None = None
    pad: Literal["mean", "black"] = "mean"

    @model_validator(mode="after")
    def _ranges(self) -> AugmentSection:
        for name, interval in (("long_side", self.long_side), ("scale", self.scale)):
            if interval is not None and interval[0] > interval[1]:
                raise ValueError(f"{name} must be [low, high] with low <= high, not {list(interval)}")
        return self

    def build(self) -> Augmentation:
        """The augmentation that the section describes."""
        return Augmentation(**self.model_dump())


class TrainSection(Section):
    """How long and how fast to train; see weakseg.engine.train.Schedule."""

    epochs: PositiveInt = 5
    batch_size: PositiveInt = 16
    lr: Positive = 0.1
    new_lr_factor: Positive = 10.0
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    momentum: Annotated[float, Field(ge=0, lt=1)] = 5e-4
    power: Annotated[float, Field(ge=0)] = 0.9
    clip: Positive | None = None
    double_bias: bool = False

    def build(self) -> Schedule:
        """The schedule that the section describes."""
        return Schedule(**self.model_dump())


class DataSection(Section):
    """Which splits of the source are used."""

    train: str = "train"
    val: str = "val"


class ClassifySection(Section):
    """The CAM network."""

    method: str = "cam"
    options: dict[str, Any] = {}
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()


class LocalizeSection(Section):
    """CAM inference."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    stride: PositiveInt = 4
    threshold: Unit = 0.2


class RelateSection(Section):
    """The affinity network."""

    backbone: BackboneSection | None = None
    alpha_low: Positive = 4.0
    alpha_high: Positive = 32.0
    stride: Annotated[int, Field(ge=2, le=32)] = 8
    radius: Annotated[int, Field(ge=2)] = 5
    levels: PositiveInt = 3
    widths: tuple[PositiveInt, ...] = (64, 128, 256)
    augment: AugmentSection = AugmentSection(pad="black")
    train: TrainSection = TrainSection()

    @model_validator(mode="after")
    def _widths(self) -> RelateSection:
        if len(self.widths) != self.levels:
            raise ValueError(f"widths must name one width per level: levels is {self.levels}, widths {self.widths}")
        return self


class WalkStep(Section):
    """The random walk over learned affinities."""

    method: Literal["walk"] = "walk"
    beta: Positive = 8.0
    log2_steps: Annotated[int, Field(ge=0, le=12)] = 8
    border: Literal["crop", "all"] = "crop"


class RefineSection(Section):
    """From maps to masks. The background is a power of the maps or a constant."""

    alpha: Positive | None = 16.0
    threshold: Unit | None = None
    steps: tuple[WalkStep, ...] = ()

    @model_validator(mode="after")
    def _background(self) -> RefineSection:
        if (self.alpha is None) == (self.threshold is None):
            raise ValueError("set either alpha or threshold, the other to null")
        return self


class SegmentSection(Section):
    """The segmentation network."""

    network: str = "deeplabv3plus"
    backbone: BackboneSection | None = None
    targets: Literal["pseudo", "truth"] = "pseudo"
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()


class PredictSection(Section):
    """Segmentation inference."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0,)
    flip: bool = True


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
    stages: Annotated[tuple[StageName, ...], Field(min_length=1)] = STAGES
    seed: Annotated[int, Field(ge=0)] = 0
    data: DataSection = DataSection()
    backbone: BackboneSection = BackboneSection()
    classify: ClassifySection = ClassifySection()
    localize: LocalizeSection = LocalizeSection()
    relate: RelateSection = RelateSection()
    refine: RefineSection = RefineSection()
    segment: SegmentSection = SegmentSection()
    predict: PredictSection = PredictSection()
    hardware: HardwareSection = HardwareSection()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        order = [STAGES.index(stage) for stage in self.stages]
        if order != sorted(set(order)):
            raise ValueError(f"stages must be distinct and in the order {', '.join(STAGES)}")
        walks = any(step.method == "walk" for step in self.refine.steps)
        if "refine" in self.stages and walks and "relate" not in self.stages:
            raise ValueError("refine.steps has a walk, which needs the stage relate")
        if self.relate.augment.crop % self.relate.stride:
            raise ValueError("relate.augment.crop must be a multiple of relate.stride")
        return self

    @property
    def uses_true_masks(self) -> bool:
        """Whether training opens ground-truth masks (the upper bound ``supervised`` alone)."""
        return self.segment.targets == "truth"
