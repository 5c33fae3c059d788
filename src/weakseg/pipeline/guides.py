"""Guides of the CAM networks: integer maps that are augmented together with their photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weakseg.data.examples import ReadGuide
from weakseg.data.sample import Array, Sample
from weakseg.methods.base import CamMethod
from weakseg.pipeline.stage import Context
from weakseg.training.infer import process


def valid_guide(context: Context) -> ReadGuide:
    """Ones: after augmentation they tell the photo from the padding around it."""

    def read(sample: Sample, photo: Array) -> NDArray[np.int32]:
        return np.ones(photo.shape[:2], dtype=np.int32)

    return read


def superpixel_guide(context: Context, *, segments: int, compactness: float) -> ReadGuide:
    """Super-pixels of the whole photo, computed once and kept in ``classify/superpixels``."""
    # Here, because scikit-image takes a second to import and most runs do without.
    from weakseg.data.superpixels import load_superpixels, save_superpixels, superpixels

    def path(sample: Sample) -> Path:
        return context.file("classify", "superpixels", sample, ".png")

    def work(sample: Sample, photo: Array) -> None:
        save_superpixels(path(sample), superpixels(photo, segments=segments, compactness=compactness))

    process(
        context.train.samples,
        Sample.read_image,
        work,
        path,
        title="classify: super-pixels",
        workers=context.recipe.hardware.workers,
        remedy=context.less_memory,
    )
    return lambda sample, photo: load_superpixels(path(sample))


GUIDES: dict[str, Callable[..., ReadGuide]] = {"valid": valid_guide, "superpixels": superpixel_guide}


def build_guides(context: Context, model: CamMethod) -> Sequence[ReadGuide]:
    """What the method's losses want beside photos and tags, in its order."""
    return [GUIDES[name](context, **options) for name, options in model.guides.items()]
