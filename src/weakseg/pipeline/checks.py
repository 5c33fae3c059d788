"""What must be right before a run writes anything."""

from __future__ import annotations

from collections.abc import Iterable

from weakseg.data.sample import Classes
from weakseg.pipeline.background import check_backgrounds
from weakseg.pipeline.checkpoints import check_checkpoints
from weakseg.pipeline.networks import check_networks
from weakseg.pipeline.recipe import Recipe
from weakseg.pipeline.run import Run


def check_run(recipe: Recipe, run: Run, classes: Classes, stages: Iterable[str]) -> None:
    """Find what would stop a run only after hours, or cost what an earlier one has written.

    Args:
        recipe: the settings.
        run: where it is going to write.
        classes: of the data.
        stages: whose networks are tried; building them takes seconds.

    Raises:
        WeaksegError: naming the key.
    """
    check_checkpoints(recipe, run, classes)
    check_networks(recipe, len(classes), stages)
    check_backgrounds(recipe)
