"""The loop over the training photos and their maps that the stages after ``localize`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.sample import Array, Sample
from weakseg.pipeline.stage import Context
from weakseg.training.infer import process


def for_each_photo(
    context: Context, work: Callable[[Sample, Array, ClassMaps], None], output: Callable[[Sample], Path], title: str
) -> None:
    """Run ``work`` on every training photo, uint8 (H, W, 3), and its maps, but for those whose ``output`` is there.

    ``work`` puts ``output(sample)`` in place last and in one step: its presence says that the sample is done.
    """

    def load(sample: Sample) -> tuple[Array, ClassMaps]:
        return sample.read_image(), load_maps(context.maps_path(sample))

    process(
        context.train.samples,
        load,
        lambda sample, loaded: work(sample, *loaded),
        output,
        title=title,
        workers=context.recipe.hardware.workers,
        remedy=context.less_memory,
    )
