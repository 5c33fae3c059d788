"""Whether trained networks that a recipe names as files may be used in a run."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.files import read_json
from weakseg.pipeline.networks import checkpoint_of
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.run import CLASSES, Run


def check_checkpoints(recipe: Recipe, run: Run, classes: Classes) -> None:
    """Raise WeaksegError for a file that the run would delete, or one of a run that knew other classes."""
    for stage in recipe.stages:
        checkpoint = checkpoint_of(recipe, stage)
        if checkpoint is None:
            continue
        path = Path(checkpoint).resolve()
        if path.is_relative_to(run.stage_folder(stage).resolve()):
            raise WeaksegError(
                f"{stage}.checkpoint: {checkpoint} lies where this run writes its own; copy it elsewhere, or choose "
                "another --out"
            )
        known = (read_json(path.parent.parent / CLASSES) or {}).get("names")
        if stage == "classify" and known is not None and tuple(known) != classes.names:
            raise WeaksegError(
                f"{stage}.checkpoint: {checkpoint} was trained for the classes {', '.join(known)}, not "
                f"{', '.join(classes.names)}; use data of the same classes in the same order"
            )
