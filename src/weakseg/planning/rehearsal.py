"""How long a recipe is going to take here: its stages on a few of the photos, and what follows for all of them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import attrgetter, getitem
from pathlib import Path

from weakseg.data.sample import Source
from weakseg.pipeline.checks import TRAINED
from weakseg.pipeline.execute import execute
from weakseg.planning.fingerprint import spread
from weakseg.recipes.loading import validate
from weakseg.recipes.recipe import Recipe
from weakseg.training.optim import Schedule
from weakseg.training.progress import Timed, time_text, timing

PHOTOS = 20
"""Training photos of a rehearsal, and half as many of the val list."""
STEPS = 3
"""Steps of each training."""
ON_VAL = ("predict", "evaluate predict", "classify: tags")
"""What is done with the photos of the val list."""


@dataclass(frozen=True)
class StageTime:
    """Seconds of a stage over all photos.

    Attributes:
        training: updates of its network.
        looking: what is done photo by photo, and the start.
    """

    training: float
    looking: float

    @property
    def total(self) -> float:
        """Of both."""
        return self.training + self.looking


@dataclass(frozen=True)
class Estimate:
    """About how long a run is going to take.

    Attributes:
        stages: by name, in order.
    """

    stages: Mapping[str, StageTime]

    @property
    def total(self) -> float:
        """Seconds of the whole run."""
        return sum(stage.total for stage in self.stages.values())

    def line(self) -> str:
        """In words."""
        parts = ", ".join(f"{name} {time_text(stage.total)}" for name, stage in self.stages.items())
        return f"about {time_text(self.total)} here ({parts})"


def rehearse(recipe: Recipe, source: Source, near: Path | None = None) -> Estimate:
    """Run a recipe on `PHOTOS` photos with `STEPS` steps a training, in a folder that goes.

    Args:
        recipe: to be timed.
        source: its photos. No mask of theirs is opened, but for a recipe that learns from true masks.
        near: where the run is going to be: the folder is made beside it.

    Raises:
        WeaksegError: what would stop the run itself.
    """
    few, short = _few(recipe, source), _short(recipe, source)
    parents = near.absolute().parents if near is not None else ()
    beside = next((parent for parent in parents if parent.is_dir()), None)
    with tempfile.TemporaryDirectory(prefix=".weakseg-", dir=beside) as folder, timing() as timed:
        run = execute(short, few, Path(folder), rehearsal=True)
        seconds = {name: float(run.record(name)["seconds"]) for name in recipe.stages}
    return Estimate({name: _scaled(name, value, timed, recipe, source, few) for name, value in seconds.items()})


def _few(recipe: Recipe, source: Source) -> Source:
    """Some photos of the lists that the recipe names."""
    data = recipe.data
    splits = {data.train: spread(source.splits[data.train], PHOTOS)}
    if data.val in source.splits and data.val != data.train:
        splits[data.val] = spread(source.splits[data.val], PHOTOS // 2)
    if not recipe.uses_true_masks:
        splits = {name: [replace(sample, mask=None) for sample in samples] for name, samples in splits.items()}
    return replace(source, splits=splits, warnings=(), problems=())


def _short(recipe: Recipe, source: Source) -> Recipe:
    """The recipe with a few steps a training, on one device."""
    tree = recipe.model_dump(mode="json")
    tree["data"] |= {"score": None, "reviews": None}  # they may be of photos that are not among the few
    tree["hardware"] |= {"devices": 1, "nodes": 1}
    photos = min(PHOTOS, len(source.splits[recipe.data.train]))
    for stage in TRAINED:
        if stage in recipe.stages:
            section = reduce(getitem, schedule_key(recipe, stage).split("."), tree)
            section["epochs"] = math.ceil(STEPS / max(1, photos // min(section["batch_size"], photos)))
    return validate(tree)


def schedule_key(recipe: Recipe, stage: str) -> str:
    """Where a recipe says how long a stage trains, as "relate.irnet.train"."""
    return f"relate.{recipe.relate.method.replace('-', '_')}.train" if stage == "relate" else f"{stage}.train"


def schedule_of(recipe: Recipe, stage: str) -> Schedule:
    """How long a stage trains."""
    schedule: Schedule = attrgetter(schedule_key(recipe, stage))(recipe)
    return schedule


def _scaled(stage: str, seconds: float, timed: list[Timed], recipe: Recipe, source: Source, few: Source) -> StageTime:
    """The time of a stage over all photos."""
    data = recipe.data
    ratio = {name: len(source.splits[name]) / max(1, len(photos)) for name, photos in few.splits.items()}
    training, looking, rest = 0.0, 0.0, seconds
    for found in timed:
        if found.title.replace(":", " ").split()[0] != stage:  # as "selftrain: masks", "evaluate refine"
            continue
        rest -= found.seconds
        if found.title == stage and stage in TRAINED:
            schedule = schedule_of(recipe, stage)
            photos = len(source.splits[data.train])
            seen = schedule.epochs * (photos - photos % min(schedule.batch_size, photos))
            training += found.seconds / max(1, found.items) * seen
        else:
            looking += found.seconds * ratio.get(data.val if found.title in ON_VAL else data.train, 1.0)
    return StageTime(training, looking + max(0.0, rest))
