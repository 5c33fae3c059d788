"""What a run is going to do, found without writing anything: its stages, which of them stay, and the disk it needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from lightning_fabric import Fabric

from weakseg.data.sample import ImageSet
from weakseg.data.source import Source, open_source, training_warnings
from weakseg.errors import WeaksegError
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.checks import check_enough, check_lists, check_run
from weakseg.pipeline.inputs import readable, reduced
from weakseg.pipeline.reviews import load_reviews, tell_reviews
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.pipeline.rundir.disk import DiskNeed, disk_need
from weakseg.pipeline.rundir.outputs import check_outputs
from weakseg.pipeline.rundir.provenance import FILES, check_photos
from weakseg.pipeline.rundir.run import Run
from weakseg.pipeline.stage import Context, Stage, stage_keys
from weakseg.pipeline.truths import truth_warnings
from weakseg.recipes.recipe import Recipe
from weakseg.training.progress import say, warn

KEPT = "done before, stays"
RESUMED = "goes on where it stopped"
TO_DO = "to do"
MISSING = "done anew: files of it are missing"
CHANGED = "done anew: its settings, its photos or a stage before it have changed"
ANEW = "done anew: --overwrite"


@dataclass(frozen=True)
class Outlook:
    """What a run is going to do.

    Attributes:
        context: what its stages share.
        stages: in order.
        keys: hash of all that the output of a stage depends on, by its name.
        fates: what is going to happen with each stage, by its name: `KEPT`, `TO_DO` or another of these.
        problems: one line per file that is missing or left out.
        larger: how many training photos are longer than the working size.
        disk: what the run needs; None where all is done.
    """

    context: Context
    stages: Sequence[Stage]
    keys: Mapping[str, str]
    fates: Mapping[str, str]
    problems: Sequence[str]
    larger: int
    disk: DiskNeed | None

    @property
    def incomplete(self) -> list[str]:
        """The stages whose outputs are not all there any more."""
        return [name for name, fate in self.fates.items() if fate == MISSING]

    @property
    def all_stays(self) -> bool:
        """Whether nothing is left to do."""
        return set(self.fates.values()) == {KEPT}

    def line(self) -> str:
        """The stages in one line, by what is going to happen with them."""
        groups = groupby(self.fates, key=self.fates.__getitem__)
        return "stages: " + "; ".join(f"{', '.join(names)} ({fate})" for fate, names in groups)


def look_ahead(
    recipe: Recipe, source: Source, run: Run, fabric: Any, *, overwrite: bool = False, keep: bool = True
) -> Outlook:
    """Read the photos and find what a run is going to do; say what looks wrong.

    Args:
        recipe: the settings.
        source: the data.
        run: where it is going to be.
        fabric: the device.
        overwrite: whether what the run holds is going to be made anew.
        keep: note in the run which of its files are readable; False to write nothing at all.

    Raises:
        WeaksegError: what would stop the run.
    """
    CONTENTS.load(run.folder / FILES)
    check_lists(recipe, source)
    check_photos(run, recipe, source, overwrite=overwrite)
    source = _told(recipe, source, run, keep)
    context, unreadable = prepare(recipe, source, run, fabric, keep=keep)
    for text in unreadable:
        warn(f"left out: {text}")
    said = tell_reviews(context.reviews, recipe)
    context = replace(context, source=replace(context.source, warnings=(*context.source.warnings, *said)))
    larger = _tell_reduced(context)
    stages = [ALL[name] for name in recipe.stages]
    keys = stage_keys(context, stages)
    # Before anything is written: a wrong name must not cost the outputs of an earlier recipe.
    todo = [name for name in keys if overwrite or not run.is_done(name, keys[name])]
    check_run(recipe, run, source.classes, todo)
    incomplete = [] if overwrite else check_outputs(run, recipe.stages, keys)
    fates = {name: _fate(run, name, key, overwrite, incomplete) for name, key in keys.items()}
    disk = disk_need(context) if todo else None
    return Outlook(context, stages, keys, fates, [*source.problems, *unreadable], larger, disk)


def _fate(run: Run, stage: str, key: str, overwrite: bool, incomplete: Collection[str]) -> str:
    record = run.record(stage)
    if not record:
        return TO_DO
    if overwrite:
        return ANEW
    if record.get("key") != key:
        return CHANGED
    if not record.get("done"):
        return RESUMED
    return MISSING if stage in incomplete else KEPT


def _told(recipe: Recipe, source: Source, run: Run, keep: bool) -> Source:
    """Say what looks wrong in tags, files and masks; the source with these warnings."""
    slips = training_warnings(source, recipe.data.train)
    for text in (*source.warnings, *slips, *source.problems):
        warn(f"data: {text}")
    doubts = truth_warnings(recipe, source, run, keep=keep)
    for text in doubts:
        warn(f"data: {text}")
    return replace(source, warnings=(*source.warnings, *slips, *doubts))


def _tell_reduced(context: Context) -> int:
    """Say how many photos are longer than the working size; their number."""
    long_side = context.recipe.data.long_side
    larger = reduced(context.train, long_side)
    if larger:
        say(
            f"data: {larger} of {len(context.train)} training photos are longer than {long_side} px "
            "(data.long_side): they are learnt from and looked at at that size, masks have the photos' own"
        )
    return larger


def reopened(run: Run, data: str | None = None, *, keep: bool = True) -> Context:
    """What the stages of a run that is there shared.

    Args:
        run: its directory.
        data: where its photos are now; None for where they were.
        keep: False to write nothing into the run.

    Raises:
        WeaksegError: there is no run, or its photos cannot be opened.
    """
    recipe, spec = run.read_recipe(), data or run.read_manifest()["data"]
    CONTENTS.load(run.folder / FILES)  # what is known of unchanged photos is not read again
    try:
        source = open_source(spec)
    except WeaksegError as error:
        raise WeaksegError(f"{error}; the run was made with --data {spec}: give --data where that is now") from error
    return prepare(recipe, source, run, None, keep=keep)[0]


def prepare(
    recipe: Recipe, source: Source, run: Run, fabric: Fabric | Any, *, keep: bool = True
) -> tuple[Context, list[str]]:
    """What the stages of a run share, and one line per unreadable photo, which is left out.

    Args:
        recipe: the settings.
        source: the data.
        run: keeps which photos are readable.
        fabric: the device; None where no stage is going to run.
        keep: False to write nothing into the run.
    """
    check_lists(recipe, source)
    true = recipe.uses_true_masks
    train, problems = readable(
        source.image_set(recipe.data.train, masks=true),
        run.folder / "inputs.train.json",
        masks=true,
        title="read train",
        keep=keep,
    )
    reviews = load_reviews(recipe, train, source)
    train = reviews.retagged(train)
    check_enough(recipe, train, reviews.taught(train))
    val: ImageSet | None = None
    if recipe.data.val in source.splits:
        val, more = readable(
            source.image_set(recipe.data.val), run.folder / "inputs.val.json", masks=False, title="read val", keep=keep
        )
        problems += more
    kept = {sample.id for images in (train, val) if images for sample in images.samples}
    splits = {recipe.data.train, recipe.data.val} & set(source.splits)
    excluded = {sample.id for split in splits for sample in source.splits[split]} - kept
    learnt = train.without_masks().at_most(recipe.data.long_side)
    return Context(recipe, run, fabric, source, learnt, val, frozenset(excluded), reviews), problems
