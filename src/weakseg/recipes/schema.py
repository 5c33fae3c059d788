"""The recipe's settings that belong to no method, and its sections: assembled from what methods and steps declare."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, Lt

from weakseg.backbones.backbone import BackboneSettings
from weakseg.data.transforms import Augmentation
from weakseg.methods.base import Views
from weakseg.refine.background import BackgroundSettings
from weakseg.segmentation.inference import PredictSettings
from weakseg.settings import Count, NonNegative, PositiveInt, Unit, settings
from weakseg.training.optim import Schedule


@settings
class DataSettings:
    """Which photos are used, and at which size."""

    train: str = "train"
    """List of the source to learn from."""
    val: str = "val"
    """List to predict and to judge by; a source may have none."""
    score: str | None = None
    """Photos of ``train`` that maps and pseudo masks are scored on; null for all. The papers learn from VOC's train_aug
    and score on its train."""
    long_side: Annotated[int, Ge(32)] | None = 640
    """Working size in pixels: longer photos are learnt from and looked at reduced to it, masks are scaled back; null
    for every photo's own size, which needs memory in proportion."""
    reviews: str | None = None
    """File of reviews (reviews.jsonl) of training photos: corrected tags, masks that nothing learns from, and masks
    drawn by hand, which selftrain and segment learn from as truth; null for none."""

    @property
    def scored(self) -> str:
        """The list that maps and pseudo masks are scored on."""
        return self.score or self.train


@settings
class ClassifySettings:
    """The seed method: what finds the classes in a photo."""

    method: str = "cam"
    """Name of the seed method."""
    checkpoint: str | None = None
    """File of a trained network, a run's or the authors'; then none is trained."""
    options: Any = None
    """Settings of the method."""
    held_back: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Share of the training photos that it is judged by instead of learning from them, where there is no val list."""
    augment: Augmentation = Augmentation()
    """Random changes of the training photos."""
    train: Schedule = Schedule()
    """How long and how fast to train."""


@settings
class LocalizeSettings(Views):
    """How the seed method looks at photos, and the background that its maps are scored with."""

    maps: str | None = None
    """Folder of class maps that another code has made, a file ID.npy or ID.safetensors per photo: these are taken and
    classify is left out; null to make them here. Finer ones are reduced to ``stride``."""
    background: BackgroundSettings = BackgroundSettings()
    """What the maps are scored against."""


@settings
class RelateSettings:
    """The affinity network: ``method`` chooses, the section of that name has its settings."""

    method: str = "affinitynet"
    """Name of the affinity method."""
    checkpoint: str | None = None
    """File of a trained network, a run's or the authors'; then none is trained."""
    backbone: BackboneSettings | None = None
    """Its backbone; what it does not say is as in the recipe's. Null for the recipe's."""

    @property
    def chosen(self) -> Any:
        """The settings of the chosen method."""
        return self.of(self.method)

    def of(self, method: str) -> Any:
        """The settings of a method by its name."""
        return getattr(self, method.replace("-", "_"))


@settings
class RefineSettings:
    """From maps to masks: the steps by name, in order, and the settings of each."""

    masks: str | None = None
    """Folder of pseudo masks that another code has made, a PNG per photo: these are taken instead of those of the
    steps; null to make them here."""
    steps: tuple[str, ...] = ("background", "walk")
    """Names of refinement steps; "background" exactly once."""
    background: BackgroundSettings = BackgroundSettings(rule="power")
    """The background channel."""

    def __post_init__(self) -> None:
        if self.steps.count("background") != 1:
            raise ValueError("steps needs background exactly once")

    def of(self, step: str) -> Any:
        """The settings of a step by its name."""
        return getattr(self, step.replace("-", "_"))


@settings
class SelftrainSettings:
    """Self-training: the segmentation network learns from the pseudo masks, then labels the same photos anew."""

    doubtful: Unit = 0.0
    """Share of the pixels of each class in the first mask of a photo with several tags, the least confident ones, that
    is not learnt from. Background, and masks drawn by hand, are learnt as they are."""
    unbalance: Unit = 0.0
    """Share of ``segment.balance`` that the new masks do not keep: first masks of rare labels are often too large
    already. The loss takes it from the logits, as in the logit adjustment of Menon et al. (2021)."""
    augment: Augmentation = Augmentation()
    """Random changes of the training photos."""
    train: Schedule = Schedule()
    """How long and how fast to train."""
    views: PredictSettings = PredictSettings()
    """How the trained network looks at the photos that it labels; classes that are not tagged cannot win a pixel."""


@settings
class SegmentSettings:
    """The segmentation network: ``network`` chooses, the section of that name has its settings."""

    network: str = "deeplabv3plus"
    """Its name."""
    checkpoint: str | None = None
    """File of a trained network, a run's or the authors'; then segment trains none."""
    backbone: BackboneSettings | None = None
    """Its backbone; what it does not say is as in the recipe's. Null for the recipe's."""
    targets: Literal["pseudo", "truth"] = "pseudo"
    """What it learns from: the pseudo masks, or the true ones (the upper bound ``supervised`` alone)."""
    start: Literal["backbone", "selftrain"] = "backbone"
    """Where its weights start: the backbone's, or the whole network of the stage selftrain."""
    balance: Unit = 0.0
    """How much rare labels count in the loss: a pixel weighs its label's frequency in the batch to the power of minus
    this. 0 counts all pixels alike, 1 all labels; selftrain takes it, too, less ``selftrain.unbalance``."""
    frozen_levels: Count = 0
    """How many of the backbone's finest levels are not trained, in selftrain neither: less memory and time."""
    augment: Augmentation = Augmentation()
    """Random changes of the training photos."""
    train: Schedule = Schedule()
    """How long and how fast to train."""

    @property
    def chosen(self) -> Any:
        """The settings of the chosen network."""
        return self.of(self.network)

    def of(self, network: str) -> Any:
        """The settings of a network by its name."""
        return getattr(self, network.replace("-", "_"))


@settings
class HardwareSettings:
    """Where and how it runs; no result depends on it but for rounding.

    What else several devices and other precisions change says docs/devices.md.
    """

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """The device."""
    devices: PositiveInt = 1
    """How many of them on a machine; they share the photos of a stage and of a training step."""
    nodes: PositiveInt = 1
    """How many machines; torchrun or srun starts the processes on them."""
    precision: str = "32-true"
    """Of the trainings, one of Fabric's: 32-true, bf16-mixed, 16-mixed."""
    workers: Count = 0
    """Processes that load photos; 0 loads in the main one."""
    threads: Annotated[int, Interval(ge=0, le=1024)] = 0
    """CPU threads of torch; 0 keeps torch's choice."""
    checkpoint_seconds: NonNegative = 30.0
    """How often a training keeps its state."""
