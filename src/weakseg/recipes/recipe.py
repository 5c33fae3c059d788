"""The recipe: a validated tree that says everything a result depends on."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, create_model, model_validator

from weakseg.backbones.backbone import BackboneSettings
from weakseg.backbones.surgery import by_batch
from weakseg.methods.base import AffinityMethod, SeedMethod
from weakseg.methods.irnet.instances import InstancesSettings
from weakseg.methods.registry import AFFINITIES, SEEDS
from weakseg.recipes.schema import (
    ClassifySettings,
    DataSettings,
    HardwareSettings,
    LocalizeSettings,
    RefineSettings,
    RelateSettings,
    SegmentSettings,
    SelftrainSettings,
)
from weakseg.recipes.stages import DEFAULT_STAGES, READS, STAGES, StageName
from weakseg.refine.base import RefinementStep
from weakseg.refine.registry import REFINEMENTS
from weakseg.segmentation.base import SegmentationNetwork
from weakseg.segmentation.inference import PredictSettings
from weakseg.segmentation.networks import SEGMENTATION_NETWORKS
from weakseg.settings import Count, settings


class Recipe(BaseModel):
    """One system, from tags to masks; `recipe_kind` gives the class that knows a method's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    """What it is called."""
    description: str = ""
    """What it is."""
    stages: Annotated[tuple[StageName, ...], MinLen(1)] = DEFAULT_STAGES
    """What is done, in this order."""
    seed: Count = 0
    """Of all random choices."""
    chosen_with_masks: str = ""
    """Which of the settings were chosen by looking at true masks."""
    data: DataSettings = DataSettings()
    """The photos."""
    backbone: BackboneSettings = BackboneSettings()
    """The network under every network that names none of its own."""
    classify: ClassifySettings = ClassifySettings()
    """The seed method and its training."""
    localize: LocalizeSettings = LocalizeSettings()
    """Class maps."""
    relate: RelateSettings = RelateSettings()
    """The affinity network and its training."""
    refine: RefineSettings = RefineSettings()
    """Pseudo masks."""
    instances: InstancesSettings = InstancesSettings()
    """Objects one by one; their walk is that of refine.boundary_walk."""
    selftrain: SelftrainSettings = SelftrainSettings()
    """Better pseudo masks by the segmentation network itself."""
    segment: SegmentSettings = SegmentSettings()
    """The segmentation network and its training."""
    predict: PredictSettings = PredictSettings()
    """Masks by the segmentation network."""
    hardware: HardwareSettings = HardwareSettings()
    """Where it runs."""

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        order = [STAGES.index(stage) for stage in self.stages]
        if order != sorted(set(order)):
            raise ValueError(f"stages must be distinct and in the order {', '.join(STAGES)}")
        for stage, reads in READS.items():
            missing = [name for name in reads.needed if name not in self.stages and self._needs(stage, name)]
            if stage in self.stages and missing:
                raise ValueError(f"stages: {stage} needs {', '.join(missing)}")
        if "classify" in self.stages and not SEEDS.get(self.classify.method).trained:
            raise ValueError(f"stages has classify, but {self.classify.method} needs no training; leave the stage out")
        if "classify" in self.stages and self.localize.maps is not None:
            raise ValueError("stages has classify, but localize.maps names maps that are there; leave the stage out")
        if self.segment.start == "selftrain" and {"segment", "selftrain"} & set(self.stages) == {"segment"}:
            raise ValueError("segment.start is selftrain, which needs the stage selftrain; add it or start at backbone")
        self._check_walks()
        self._check_segmentation()
        return self

    def _needs(self, stage: StageName, other: StageName) -> bool:
        if other == "classify":
            return SEEDS.get(self.classify.method).trained and self.localize.maps is None
        if stage == "refine" and self.refine.masks is not None:
            return False
        taught = not self.uses_true_masks and self.segment.checkpoint is None
        return taught or (stage, other) != ("segment", "refine")

    def _check_segmentation(self) -> None:
        """Batch statistics need a batch; a network that is given trained is not trained."""
        own = self.segment
        if own.checkpoint is not None and own.start != "backbone":
            raise ValueError("segment.checkpoint is a trained network; leave segment.start at backbone")
        mode = (own.backbone or self.backbone).batch_norm
        if not (SEGMENTATION_NETWORKS.get(own.network).batch_statistics or by_batch(mode)):
            return
        for stage, train in (("selftrain", self.selftrain.train), ("segment", own.train)):
            if train.batch_size < 2:
                raise ValueError(
                    f"{stage}.train.batch_size must be at least 2: {own.network} normalises over the batch"
                )

    def _check_walks(self) -> None:
        """A walk, and the search for instances, need the affinity network that was made for them."""
        walks = {name: REFINEMENTS.get(name).affinity for name in self.refine.steps}
        needs = [(f"refine.steps has {step}", method) for step, method in walks.items() if method is not None]
        needs = needs if "refine" in self.stages and self.refine.masks is None else []
        if "instances" in self.stages:
            needs.append(("stages has instances", "irnet"))
            if not getattr(self.relate.of("irnet"), "displacement", True):
                raise ValueError("stages has instances, which needs relate.irnet.displacement=true")
        for what, method in needs:
            if "relate" not in self.stages:
                raise ValueError(f"{what}, which needs the stage relate")
            if self.relate.method != method:
                step = AFFINITIES.get(self.relate.method).step
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
            "selftrain": [self.segment.network],
            "segment": [self.segment.network],
        }

    @property
    def mask_stages(self) -> list[StageName]:
        """The stages that make pseudo masks, the best ones last."""
        making: tuple[StageName, ...] = ("refine", "selftrain")
        return [stage for stage in making if stage in self.stages]

    @property
    def uses_true_masks(self) -> bool:
        """Whether training opens ground-truth masks (the upper bound ``supervised`` alone)."""
        return self.segment.targets == "truth"


def recipe_kind(seed: str) -> type[Recipe]:
    """The class of recipes with a seed method: its sections have the settings of all methods and steps there are.

    Args:
        seed: name of the seed method.

    Raises:
        WeaksegError: no such method.
    """
    others = (AFFINITIES, REFINEMENTS, SEGMENTATION_NETWORKS)
    return _kind(SEEDS.get(seed), *(tuple(registry.all().items()) for registry in others))


@lru_cache(maxsize=32)
def _kind(
    seed: type[SeedMethod],
    affinities: tuple[tuple[str, type[AffinityMethod]], ...],
    refinements: tuple[tuple[str, type[RefinementStep]], ...],
    networks: tuple[tuple[str, type[SegmentationNetwork]], ...],
) -> type[Recipe]:
    classify = _with(ClassifySettings, {"options": seed.Settings})
    relate = _with(RelateSettings, {name: method.Settings for name, method in affinities})
    steps = {name: step.Settings for name, step in refinements if name != "background"}
    refine = _with(RefineSettings, steps)
    segment = _with(SegmentSettings, {name: network.Settings for name, network in networks})
    sections: dict[str, Any] = {
        "classify": (classify, classify()),
        "relate": (relate, relate()),
        "refine": (refine, refine()),
        "segment": (segment, segment()),
    }
    return create_model("Recipe", __base__=Recipe, **sections)


def _with(section: type, fields: dict[str, type]) -> type:
    """A section with more fields, each the settings of what it is called after."""
    names = {name.replace("-", "_"): kind for name, kind in fields.items()}
    body = {name: kind() for name, kind in names.items()}
    about = {"__annotations__": names, "__module__": __name__, "__doc__": section.__doc__}
    return settings(type(section.__name__, (section,), body | about))
