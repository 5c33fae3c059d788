"""A whole run: read the data, run the stages, keep the manifest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from weakseg import __version__
from weakseg.data.source import Source, open_source
from weakseg.files import read_json, write_json
from weakseg.pipeline.bindings import ALL
from weakseg.pipeline.checks import TRAINED
from weakseg.pipeline.inputs import fingerprint
from weakseg.pipeline.networks import weights_origin
from weakseg.pipeline.outlook import Outlook, look_ahead, prepare
from weakseg.pipeline.pretraining import more_than_imagenet
from weakseg.pipeline.rundir.contents import CONTENTS
from weakseg.pipeline.rundir.provenance import FILES, write_photos
from weakseg.pipeline.rundir.run import LOG, Run, now, open_folder
from weakseg.pipeline.stage import Context, run_stages
from weakseg.recipes.recipe import Recipe
from weakseg.training.device import describe, join_fabric, peak_memory_mib
from weakseg.training.progress import logging_to, say
from weakseg.training.ranks import is_first, sharing, wait_for_all

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

    Where several processes call this together they share the work; the first alone holds the directory, and does what
    is not done photo by photo or step by step.

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
    own = recipe.hardware
    fabric = join_fabric(own.accelerator, own.devices, own.nodes, own.precision, own.threads)
    with sharing(fabric):
        if not is_first():
            _follow(recipe, source, run, fabric)
            return run
        with run.locked(), logging_to(run.folder / LOG):
            say(f"weakseg {__version__}: {recipe.name} on {data} into {folder}", "dim")
            ahead = look_ahead(recipe, source, run, fabric, overwrite=overwrite)
            context = replace(ahead.context, rehearsal=rehearsal)
            say(ahead.line(), "dim")
            if ahead.disk is not None:
                ahead.disk.check()
                say(ahead.disk.line(), "dim")
            if overwrite:
                run.clear()
            write_photos(run, recipe, context.source, context.reviews.drawn.values())
            run.write_recipe(recipe, written)
            run.write_classes(context.source.classes)
            # What is finished stays measured when and where it was.
            earlier = run.read_manifest() if run.is_finished(ahead.keys) and not ahead.incomplete else {}
            measured = {key: earlier[key] for key in MEASURED if key in earlier}
            if not measured:
                _write_manifest(ahead, context, data, finished=False)
            wait_for_all()
            run_stages(context, ahead.stages, ahead.keys, ahead.incomplete)
            if show is not None:
                show(context)
            run.tidy(recipe.stages)
            _write_manifest(ahead, context, data, finished=True, measured=measured)
        wait_for_all()
    return run


def _follow(recipe: Recipe, source: Source, run: Run, fabric: Fabric) -> None:
    """Do a process's part of the stages; the first has looked at everything and says which."""
    wait_for_all()
    CONTENTS.load(run.folder / FILES)
    context, _ = prepare(recipe, source, run, fabric, keep=False)
    run_stages(context, [ALL[name] for name in recipe.stages], {})
    wait_for_all()


def _write_manifest(
    ahead: Outlook, context: Context, data: str, *, finished: bool, measured: Mapping[str, Any] | None = None
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
            "working_size": {"long_side": recipe.data.long_side, "reduced": ahead.larger},
            "levels": next((list(sample.levels) for sample in context.train.samples if sample.levels), None),
            "left_out": list(ahead.problems),
            "warnings": list(context.source.warnings),  # such as tags that were read from masks
            "masks_used": {
                "for_training": recipe.uses_true_masks,
                "for_choosing": recipe.chosen_with_masks or "nothing",
                "drawn": len(context.reviews.drawn),
            },
            "reviews": context.reviews.manifest(),
            "taken": {"maps": recipe.localize.maps, "masks": recipe.refine.masks},  # what another code has made
            "weights": {
                name: {
                    "origin": weights_origin(recipe, name),
                    "more_than_imagenet": more_than_imagenet(recipe, name),
                    "trained": run.weights_hash(name),
                }
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
