"""Settings that several stages share, and those of classify and localize."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weakseg.data.transforms import Augmentation
from weakseg.training.optim import Schedule

Stride = Literal[8, 16, 32]
Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Scale = Annotated[float, Field(ge=0.1, le=8)]
PositiveInt = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a recipe: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BackboneSection(Section):
    """A timm network; ``recompute`` trades time for memory in training, see weakseg.backbones.backbone.Backbone."""

    name: str = "tf_efficientnet_lite0"
    output_stride: Stride = 16
    dilation: bool = True
    batch_norm: Literal["frozen", "affine", "train"] = "frozen"
    weights: str = "packaged"
    recompute: bool = False


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
    """How long and how fast to train; see weakseg.training.optim.Schedule."""

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
    """Which splits of the source are used.

    ``score`` names the photos of ``train`` that maps and pseudo masks are scored on; null for all of them. The papers
    learn from VOC's train_aug and score on its train.

    ``long_side`` is the working size in pixels: longer photos are learnt from and looked at reduced to it, and masks
    are scaled back to the photo's size; null for every photo's own size, which needs memory in proportion. The default
    is the size of COCO's photos, beyond VOC's: class maps suit objects as large as those the classifier has seen.
    """

    train: str = "train"
    val: str = "val"
    score: str | None = None
    long_side: Annotated[int, Field(ge=32)] | None = 640

    @property
    def scored(self) -> str:
        """The split that maps and pseudo masks are scored on."""
        return self.score or self.train


class ClassifySection(Section):
    """The CAM network. ``checkpoint`` is a file of a trained one, a run's or the authors'; then none is trained.

    ``held_back`` is the share of the training photos that it does not learn from but is judged by, where the data have
    no validation list; see weakseg.evaluation.tagging.
    """

    method: str = "cam"
    checkpoint: str | None = None
    options: dict[str, Any] = {}
    held_back: Annotated[float, Field(ge=0, lt=1)] = 0.1
    augment: AugmentSection = AugmentSection()
    train: TrainSection = TrainSection()


class BackgroundSection(Section):
    """A background channel for class maps; see weakseg.refine.background.

    ``constant`` is the threshold, ``power`` (1 - max)^alpha, ``own`` the CAM method's own channel times weight.
    """

    rule: Literal["constant", "power", "own"] = "constant"
    threshold: Unit = 0.2
    alpha: Positive = 16.0
    weight: Annotated[float, Field(ge=0, le=10)] = 1.0

    def used(self) -> dict[str, Any]:
        """The rule and the one number that it reads."""
        number = {"constant": "threshold", "power": "alpha", "own": "weight"}[self.rule]
        return {"rule": self.rule, number: getattr(self, number)}


class LocalizeSection(Section):
    """CAM inference, and the background that the maps are scored with."""

    scales: Annotated[tuple[Scale, ...], Field(min_length=1)] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    stride: PositiveInt = 4
    background: BackgroundSection = BackgroundSection()
