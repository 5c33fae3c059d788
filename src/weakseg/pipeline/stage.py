"""What a stage is, and how stages are run in order: skipped, resumed or redone."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lightning_fabric import Fabric

from weakseg import __version__
from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import read_mask
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.data.source import Source
from weakseg.pipeline.reviews import Reviews
from weakseg.pipeline.rundir.outputs import record_outputs
from weakseg.pipeline.rundir.run import Run, digest
from weakseg.pipeline.stages.selftrain import without_doubtful
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.stages import READS, StageName
from weakseg.training.device import peak_memory_mib, trim_memory
from weakseg.training.memory import allocating
from weakseg.training.progress import say
from weakseg.training.ranks import is_first, told_by_first
from weakseg.training.seeding import derive_seed
from weakseg.training.train import Trainer


@dataclass(frozen=True)
class Context:
    """What the stages share.

    Attributes:
        recipe: the settings.
        run: the directory.
        fabric: the device.
        source: the data with masks; for ``evaluate`` and the upper bound ``supervised`` alone.
        train: photos with tags, without masks.
        val: likewise, or None if the source has no such split.
        excluded: ids left out because their files are unreadable.
        reviews: what people have said of the training photos; ``train`` has the tags that they give.
        rehearsal: whether only times count: masks without a pixel are no reason to stop.
    """

    recipe: Recipe
    run: Run
    fabric: Fabric
    source: Source
    train: ImageSet
    val: ImageSet | None
    excluded: frozenset[str] = field(default_factory=frozenset)
    reviews: Reviews = field(default_factory=Reviews)
    rehearsal: bool = False

    def true_masks(self, role: Literal["train", "val"]) -> ImageSet:
        """A list with its ground truth. For scoring, and for training the upper bound."""
        split = getattr(self.recipe.data, role)
        images = self.source.image_set(split, masks=True)
        kept = [sample for sample in images.samples if sample.id not in self.excluded]
        return ImageSet(images.classes, kept)

    def scored(self) -> ImageSet:
        """The photos of train that maps and pseudo masks are scored on, with their ground truth."""
        images = self.true_masks("train")
        if self.recipe.data.score is None:
            return images
        wanted = {sample.id for sample in self.source.splits[self.recipe.data.score]}
        return ImageSet(images.classes, [sample for sample in images.samples if sample.id in wanted])

    def scored_lists(self) -> tuple[ImageSet, ImageSet | None]:
        """What is scored, with its ground truth: photos of train, and of val where there are some."""
        return self.scored(), self.true_masks("val") if self.val else None

    def folder(self, stage: str) -> Path:
        """Where a stage writes."""
        return self.run.stage_folder(stage)

    def file(self, stage: str, kind: str, sample: Sample, suffix: str) -> Path:
        """A stage's output for one sample: ``STAGE/KIND/ID.SUFFIX``."""
        return self.folder(stage) / kind / f"{sample.id}{suffix}"

    def maps_path(self, sample: Sample) -> Path:
        """Where ``localize`` writes the maps of a sample."""
        return self.file("localize", "maps", sample, ".safetensors")

    def pseudo_mask_path(self, sample: Sample, stage: str | None = None) -> Path:
        """Where a stage writes the pseudo mask of a sample; by default the last that makes some."""
        return self.file(stage or self.recipe.mask_stages[-1], "masks", sample, ".png")

    def confidence_path(self, sample: Sample, stage: str) -> Path:
        """Where a stage writes how sure each pixel of a pseudo mask is."""
        return self.file(stage, "confidence", sample, ".png")

    def read_confidence(self, sample: Sample, stage: str) -> Array:
        """The confidence of ``confidence_path``, uint8 (H, W) of 0..255."""
        return read_mask(self.confidence_path(sample, stage))

    def instances_path(self, sample: Sample) -> Path:
        """Where ``instances`` writes the objects of a sample."""
        return self.file("instances", "photos", sample, ".json")

    def prediction_path(self, sample: Sample) -> Path:
        """Where ``predict`` writes the mask of a sample."""
        return self.file("predict", "masks", sample, ".png")

    def read_maps(self, sample: Sample) -> ClassMaps:
        """The class maps that ``localize`` has written."""
        return load_maps(self.maps_path(sample))

    def read_pseudo_mask(self, sample: Sample, stage: str | None = None) -> Array:
        """The pseudo mask of ``pseudo_mask_path``, values as on disk."""
        return read_mask(self.pseudo_mask_path(sample, stage))

    def read_taught_mask(self, sample: Sample, stage: str | None = None) -> Array:
        """The mask that a photo is learnt with, values as on disk: drawn by hand, or else the pseudo mask."""
        drawn = self.reviews.drawn.get(sample.id)
        return self.read_pseudo_mask(sample, stage) if drawn is None else read_mask(drawn)

    def read_sure_mask(self, sample: Sample) -> Array:
        """The mask of `read_taught_mask` that selftrain learns from: 255 where it is too doubtful."""
        mask, share = self.read_taught_mask(sample, "refine"), self.recipe.selftrain.doubtful
        if not share or len(sample.tags) < 2 or sample.id in self.reviews.drawn:
            return mask
        return without_doubtful(mask, self.read_confidence(sample, "refine"), share)

    def read_prediction(self, sample: Sample) -> Array:
        """The mask that ``predict`` has written, values as on disk."""
        return read_mask(self.prediction_path(sample))

    @property
    def trainer(self) -> Trainer:
        """Where networks are trained."""
        hardware = self.recipe.hardware
        return Trainer(self.fabric, self.run.log, hardware.workers, hardware.checkpoint_seconds)

    def seed(self, *parts: object) -> int:
        """A seed for a purpose, derived from the recipe's."""
        return derive_seed(self.recipe.seed, *parts)


def less_memory(recipe: Recipe) -> str:
    """What makes the work on a photo need less memory."""
    return f"look at photos smaller (data.long_side, now {recipe.data.long_side or 'null'}) or at fewer scales"


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline; `weakseg.recipes.stages.READS` says what it reads.

    Attributes:
        name: of the stage and its folder.
        settings: the part of the recipe that its output depends on.
        inputs: what else it depends on (lists of samples), as hashes.
        work: does it; returns a summary for the manifest. Called again after an interruption, it goes on. Several
            processes call it together; the summary of the first counts.
    """

    name: StageName
    settings: Callable[[Recipe], Any]
    inputs: Callable[[Context], Any]
    work: Callable[[Context], dict[str, Any]]

    @property
    def reads(self) -> tuple[StageName, ...]:
        """The stages whose output it reads, where the recipe has them."""
        return (*READS[self.name].needed, *READS[self.name].used)


def stage_keys(context: Context, stages: Sequence[Stage]) -> dict[str, str]:
    """A hash per stage of all that its output depends on, through the stages before it."""
    keys: dict[str, str] = {}
    for stage in stages:
        keys[stage.name] = digest(
            {
                "stage": stage.name,
                "settings": stage.settings(context.recipe),
                "inputs": stage.inputs(context),
                "needs": {name: keys[name] for name in stage.reads if name in keys},
                "seed": context.recipe.seed,
                "weakseg": __version__,
            }
        )
    return keys


def run_stages(
    context: Context, stages: Sequence[Stage], keys: Mapping[str, str], incomplete: Collection[str] = ()
) -> None:
    """Run what is not yet done with its key of ``stage_keys``, in order, and what is ``incomplete``.

    Of several processes the first decides and keeps the records; keys of the others are not looked at.
    """

    def begin(stage: Stage, place: str) -> bool:
        key = keys[stage.name]
        if context.run.is_done(stage.name, key) and stage.name not in incomplete:
            say(f"{place}: done before, unchanged", "dim")
            return False
        say(place, "bold")
        context.run.drop_results()
        context.run.begin(stage.name, key)
        return True

    for number, stage in enumerate(stages, 1):
        if not told_by_first(partial(begin, stage, f"stage {number} of {len(stages)}, {stage.name}")):
            continue
        trim_memory()
        start, cpu_start = time.monotonic(), time.process_time()
        with allocating(stage.name, less_memory(context.recipe)):
            summary = stage.work(context)
        if not is_first():
            continue
        record_outputs(context.folder(stage.name))
        seconds = time.monotonic() - start
        context.run.finish(stage.name, seconds, time.process_time() - cpu_start, peak_memory_mib(), summary)
        say(f"{stage.name}: {seconds:.0f} s", "green")
