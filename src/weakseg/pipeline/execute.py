"""A whole run: read the data, run the stages, keep the manifest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from weakseg import __version__
from weakseg.data.sample import ImageSet
from weakseg.data.source import Source, open_source, training_warnings
from weakseg.files import read_json, write_json
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.checks import TRAINED, check_enough, check_lists, check_run
from weakseg.pipeline.inputs import fingerprint, readable, reduced
from weakseg.pipeline.networks import weights_origin
from weakseg.pipeline.reviews import load_reviews, tell_reviews
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.pipeline.rundir.disk import check_disk
from weakseg.pipeline.rundir.outputs import check_outputs
from weakseg.pipeline.rundir.provenance import FILES, check_photos, write_photos
from weakseg.pipeline.rundir.run import Run, now, open_folder
from weakseg.pipeline.stage import Context, run_stages, stage_keys
from weakseg.pipeline.truths import truth_warnings
from weakseg.recipes.recipe import Recipe
from weakseg.training.device import build_fabric, describe, peak_memory_mib
from weakseg.training.progress import logging_to, say

RECORDED = ("key", "done", "seconds", "cpu_seconds", "peak_memory_mib", "sessions", "summary")
"""Of each stage, in the manifest."""
MEASURED = ("weakseg", "libraries", "machine", "started", "finished", "peak_memory_mib")
"""Of the manifest: when and on what the stages were done."""
LIBRARIES = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "lightning-fabric", "numpy", "pillow")


def execute(
    recipe: Recipe,
    data: str | Source,
    folder: Path,
    *,
    overwrite: bool = False,
    written: str | None = None,
    rehearsal: bool = False,
    show: Callable[[Context], object] | None = None,
) -> Run:
    """Run a recipe on a data source into a directory; go on where an earlier call was interrupted.

    Args:
        recipe: the settings.
        data: the source, or the string that opens it.
        folder: the run's directory.
        overwrite: start afresh there, whatever run it holds.
        written: the recipe as text, to be kept with its comments.
        rehearsal: only times count, see `weakseg.pipeline.stage.Context`.
        show: called when all stages are done, such as to draw pictures of what they made.

    Raises:
        WeaksegError: for data that cannot be used, a directory that holds something else or a run on other data, or
            outputs that were changed from outside.
    """
    run = open_folder(folder)
    source = data if isinstance(data, Source) else open_source(data)
    data = source.spec if isinstance(data, Source) else data
    hardware = recipe.hardware
    # The processes of a run start here: one of them holds the directory for all.
    fabric = build_fabric(hardware.accelerator, hardware.devices, hardware.precision, hardware.threads)
    held = run.locked() if fabric.is_global_zero else nullcontext()
    with held, logging_to(run.folder / "log.txt"):
        say(f"weakseg {__version__}: {recipe.name} on {data} into {folder}", "dim")
        CONTENTS.load(run.folder / FILES)
        check_lists(recipe, source)
        check_photos(run, recipe, source, overwrite=overwrite)
        source = _told(recipe, source, run)
        context, unreadable = prepare(recipe, source, run, fabric)
        context = replace(context, rehearsal=rehearsal)
        for text in unreadable:
            say(f"left out: {text}", "yellow")
        problems = [*source.problems, *unreadable]
        said = tell_reviews(context.reviews, recipe)
        context = replace(context, source=replace(context.source, warnings=(*context.source.warnings, *said)))
        larger = _tell_reduced(context)
        stages = [ALL[name] for name in recipe.stages]
        keys = stage_keys(context, stages)
        # Before anything is written: a wrong name must not cost the outputs of an earlier recipe.
        todo = [name for name in keys if overwrite or not run.is_done(name, keys[name])]
        check_run(recipe, run, source.classes, todo)
        incomplete = [] if overwrite else check_outputs(run, recipe.stages, keys)
        if todo:
            check_disk(context)
        if overwrite:
            run.clear()
        write_photos(run, recipe, source, context.reviews.drawn.values())
        run.write_recipe(recipe, written)
        run.write_classes(source.classes)
        # What is finished stays measured when and where it was.
        earlier = run.read_manifest() if run.is_finished(keys) and not incomplete else {}
        measured = {key: earlier[key] for key in MEASURED if key in earlier}
        if not measured:
            _write_manifest(context, data, problems, larger, finished=False)
        run_stages(context, stages, keys, incomplete)
        if show is not None:
            show(context)
        run.tidy(recipe.stages)
        _write_manifest(context, data, problems, larger, finished=True, measured=measured)
    return run


def _told(recipe: Recipe, source: Source, run: Run) -> Source:
    """Say what looks wrong in tags, files and masks; the source with these warnings."""
    slips = training_warnings(source, recipe.data.train)
    for text in (*source.warnings, *slips, *source.problems):
        say(f"data: {text}", "yellow")
    doubts = truth_warnings(recipe, source, run)
    for text in doubts:
        say(f"data: {text}", "yellow")
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


def prepare(recipe: Recipe, source: Source, run: Run, fabric: Any) -> tuple[Context, list[str]]:
    """What the stages of a run share, and one line per unreadable photo, which is left out.

    Args:
        recipe: the settings.
        source: the data.
        run: keeps which photos are readable.
        fabric: the device; None where no stage is going to run.
    """
    check_lists(recipe, source)
    true = recipe.uses_true_masks
    train, problems = readable(
        source.image_set(recipe.data.train, masks=true),
        run.folder / "inputs.train.json",
        masks=true,
        title="read train",
    )
    reviews = load_reviews(recipe, train, source)
    train = reviews.retagged(train)
    check_enough(recipe, train, reviews.taught(train))
    val: ImageSet | None = None
    if recipe.data.val in source.splits:
        val, more = readable(
            source.image_set(recipe.data.val), run.folder / "inputs.val.json", masks=False, title="read val"
        )
        problems += more
    kept = {sample.id for images in (train, val) if images for sample in images.samples}
    splits = {recipe.data.train, recipe.data.val} & set(source.splits)
    excluded = {sample.id for split in splits for sample in source.splits[split]} - kept
    learnt = train.without_masks().at_most(recipe.data.long_side)
    return Context(recipe, run, fabric, source, learnt, val, frozenset(excluded), reviews), problems


def _write_manifest(
    context: Context,
    data: str,
    problems: list[str],
    larger: int,
    *,
    finished: bool,
    measured: Mapping[str, Any] | None = None,
) -> None:
    recipe, run = context.recipe, context.run
    earlier = read_json(run.manifest_path) or {}
    records = {name: run.record(name) for name in recipe.stages}
    scored = context.scored().without_masks() if recipe.data.score else None
    lists = {"train": context.train, "val": context.val, "score": scored}
    write_json(
        run.manifest_path,
        {
            "weakseg": __version__,
            "libraries": {name: version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]},
            "recipe": recipe.name,
            "methods": {name: method for name, method in recipe.methods.items() if name in recipe.stages},
            "seed": recipe.seed,
            "data": data,
            "lists": {
                role: {"images": len(images), "hash": fingerprint(images)} for role, images in lists.items() if images
            },
            "working_size": {"long_side": recipe.data.long_side, "reduced": larger},
            "levels": next((list(sample.levels) for sample in context.train.samples if sample.levels), None),
            "left_out": problems,
            "warnings": list(context.source.warnings),  # such as tags that were read from masks
            "masks_used": {
                "for_training": recipe.uses_true_masks,
                "for_choosing": recipe.chosen_with_masks or "nothing",
                "drawn": len(context.reviews.drawn),
            },
            "reviews": context.reviews.manifest(),
            "weights": {
                name: {"origin": weights_origin(recipe, name), "trained": run.weights_hash(name)}
                for name in recipe.stages
                if name in TRAINED
            },
            "machine": describe(context.fabric),
            "started": earlier.get("started") or now(),
            "finished": now() if finished else None,
            "peak_memory_mib": max(
                peak_memory_mib(), *(record.get("peak_memory_mib") or 0 for record in records.values())
            ),
            "stages": {name: {key: record.get(key) for key in RECORDED} for name, record in records.items()},
            "metrics": read_json(run.folder / "metrics.json") if finished and "evaluate" in recipe.stages else None,
            **(measured or {}),
        },
    )


def left_out(run: Run) -> Sequence[str]:
    """What the run has left out, one line each."""
    manifest = run.read_manifest()
    scored = [line for entry in (manifest["metrics"] or {}).values() for line in entry["left_out"]]
    return list(dict.fromkeys([*manifest["left_out"], *scored]))
