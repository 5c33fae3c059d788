"""Whether trained networks that a recipe names as files may be used in a run."""

from __future__ import annotations

from pathlib import Path

from weakseg.data.sample import Classes
from weakseg.errors import WeaksegError
from weakseg.pipeline.networks import checkpoint_of
from weakseg.pipeline.rundir.run import RECIPE, Run
from weakseg.recipes.recipe import Recipe


def check_checkpoints(recipe: Recipe, run: Run, classes: Classes) -> None:
    """Raise WeaksegError for a file that the run would delete, or one of a run that knew other classes."""
    for stage in recipe.stages:
        checkpoint = checkpoint_of(recipe, stage)
        if checkpoint is None:
            continue
        path = Path(checkpoint).resolve()
        if path.is_relative_to(run.stage_folder(stage).resolve()):
            raise WeaksegError(
                f"{stage}.checkpoint: {checkpoint} lies where this run writes its own; choose another --out, or copy "
                "it elsewhere"
            )
        origin = Run(path.parent.parent)
        if (
            stage in ("classify", "segment")
            and path == origin.weights_path(stage)
            and (origin.folder / RECIPE).exists()
        ):
            known = origin.read_classes().names
            if known != classes.names:
                raise WeaksegError(
                    f"{stage}.checkpoint: {checkpoint} was trained for the classes {', '.join(known)}, not "
                    f"{', '.join(classes.names)}; use data of the same classes in the same order"
                )
