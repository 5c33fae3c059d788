"""What must be right before a run writes anything."""

from __future__ import annotations

from collections.abc import Iterable

from weakseg.data.sample import Classes, ImageSet
from weakseg.data.source import Source
from weakseg.errors import WeaksegError
from weakseg.pipeline.checkpoints import check_checkpoints
from weakseg.pipeline.networks import check_networks
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.sections import DataSection
from weakseg.refine.background import check_backgrounds

TRAINED = ("classify", "relate", "segment")
"""The stages that train a network."""
FEWEST = 2
"""Training photos; batch normalisation needs two."""


def check_lists(recipe: Recipe, source: Source) -> None:
    """Find lists that do not exist or do not fit.

    Args:
        recipe: names them.
        source: the photos. It may have no validation list, but for one that somebody asked for by name.

    Raises:
        WeaksegError: no such split, an empty one, or photos to score that get no maps; naming the key.
    """
    data = recipe.data
    train = _list(source, "train", data.train)
    if data.val != DataSection().val:
        _list(source, "val", data.val)
    if data.score is not None:
        scored = {sample.id for sample in _list(source, "score", data.score).samples}
        missing = len(scored - {sample.id for sample in train.samples})
        if missing and {"localize", "refine"} & set(recipe.stages):
            raise WeaksegError(
                f"data.score: {missing} of {len(scored)} photos of {data.score!r} are not in data.train "
                f"{data.train!r}; they would have no maps"
            )


def check_enough(recipe: Recipe, train: ImageSet) -> None:
    """Raise WeaksegError if there are too few photos, of those that can be read, to train the recipe's networks."""
    trained = [stage for stage in TRAINED if stage in recipe.stages]
    if len(train) < FEWEST and trained:
        raise WeaksegError(
            f"data.train: {recipe.data.train!r} has {len(train)} readable photo; {', '.join(trained)} cannot learn "
            f"from fewer than {FEWEST}; add photos"
        )


def _list(source: Source, key: str, split: str) -> ImageSet:
    try:
        return source.image_set(split)
    except WeaksegError as error:
        raise WeaksegError(f"data.{key}: {error}") from error


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
