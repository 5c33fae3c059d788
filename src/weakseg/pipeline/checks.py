"""What must be right before a run writes anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from weakseg.data.sample import Classes, ImageSet
from weakseg.data.source import Source
from weakseg.errors import WeaksegError
from weakseg.methods.registry import SEEDS
from weakseg.pipeline.checkpoints import check_checkpoints
from weakseg.pipeline.networks import check_networks
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.recipe import Recipe
from weakseg.recipes.schema import DataSettings
from weakseg.refine.background import BackgroundSettings

TRAINED = ("classify", "relate", "selftrain", "segment")
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
    if data.val != DataSettings().val:
        _list(source, "val", data.val)
    if data.score is not None:
        scored = {sample.id for sample in _list(source, "score", data.score).samples}
        missing = len(scored - {sample.id for sample in train.samples})
        if missing and {"localize", "refine"} & set(recipe.stages):
            raise WeaksegError(
                f"data.score: {missing} of {len(scored)} photos of {data.score!r} are not in data.train "
                f"{data.train!r}; they would have no maps"
            )


def check_enough(recipe: Recipe, train: ImageSet, taught: ImageSet) -> None:
    """Find that there are too few photos to train the recipe's networks.

    Args:
        recipe: names them.
        train: the training photos that can be read.
        taught: those of them whose masks were not rejected.

    Raises:
        WeaksegError: naming the key.
    """
    trained = [stage for stage in TRAINED if stage in recipe.stages]
    if len(train) < FEWEST and trained:
        raise WeaksegError(
            f"data.train: {recipe.data.train!r} has {len(train)} readable photo; {', '.join(trained)} cannot learn "
            f"from fewer than {FEWEST}; add photos"
        )
    on_masks = [stage for stage in trained if stage in ("selftrain", "segment")]
    if len(taught) < FEWEST and on_masks:
        raise WeaksegError(
            f"data.reviews: {recipe.data.reviews} rejects {len(train) - len(taught)} of {len(train)} masks; "
            f"{', '.join(on_masks)} cannot learn from fewer than {FEWEST}; correct some of them instead"
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
    check_networks(recipe, classes.names, stages)
    check_backgrounds(recipe)


def check_backgrounds(recipe: Recipe) -> None:
    """Raise WeaksegError if a rule is own and the recipe's seed method makes no background channel."""
    if SEEDS.get(recipe.classify.method).background or recipe.localize.maps is not None:
        return  # whether given maps have a background, only these can tell
    having = [name for name, method in SEEDS.all().items() if method.background]
    for key, section in _backgrounds(recipe):
        if section.rule == "own":
            methods = f", or classify.method to one of {', '.join(having)}" if having else ""
            raise WeaksegError(
                f"{key}.rule is own, but the CAM method {recipe.classify.method} makes no background channel: "
                f"set it to constant or power{methods}"
            )


def _backgrounds(recipe: Recipe) -> Iterator[tuple[str, BackgroundSettings]]:
    """The backgrounds that the recipe's stages read, by key."""
    relate = recipe.relate
    sections: dict[str, tuple[str, Any]] = {
        "localize": ("localize", recipe.localize),
        "refine": ("refine", recipe.refine),
    }
    sections["relate"] = (f"relate.{relate.method}", relate.chosen)
    for stage, (key, section) in sections.items():
        for field in fields(section) if stage in recipe.stages else ():
            value = getattr(section, field.name)
            if isinstance(value, BackgroundSettings):
                yield f"{key}.{field.name}", value
