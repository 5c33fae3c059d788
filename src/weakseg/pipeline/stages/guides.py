"""Guides of the CAM networks: integer maps that are augmented together with their photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from weakseg.data.examples import ReadGuide
from weakseg.data.sample import Array, ImageSet, Sample
from weakseg.training.photos import undone


def valid_guide(images: ImageSet, folder: Path, workers: int) -> ReadGuide:
    """Ones: after augmentation they tell the photo from the padding around it."""

    def read(sample: Sample, photo: Array) -> NDArray[np.int32]:
        return np.ones(photo.shape[:2], dtype=np.int32)

    return read


@torch.inference_mode()
def superpixel_guide(images: ImageSet, folder: Path, workers: int, *, segments: int, compactness: float) -> ReadGuide:
    """Super-pixels of the whole photo, computed once and kept in ``folder/superpixels``."""
    # Here, because scikit-image takes a second to import and most runs do without.
    from weakseg.data.superpixels import load_superpixels, save_superpixels, superpixels

    def path(sample: Sample) -> Path:
        return folder / "superpixels" / f"{sample.id}.png"

    todo = undone(images.samples, Sample.read_image, path, title="classify: super-pixels", workers=workers)
    for sample, photo in todo:
        save_superpixels(path(sample), superpixels(photo, segments=segments, compactness=compactness))
    return lambda sample, photo: load_superpixels(path(sample))


GUIDES: dict[str, Callable[..., ReadGuide]] = {"valid": valid_guide, "superpixels": superpixel_guide}


def build_guides(
    wanted: Mapping[str, Mapping[str, Any]], images: ImageSet, folder: Path, *, workers: int = 0
) -> Sequence[ReadGuide]:
    """What a method's losses want beside photos and tags, in its order.

    Args:
        wanted: options by name, see `weakseg.methods.base.CamMethod`.
        images: the training photos.
        folder: where what is computed is kept.
        workers: processes that load photos.
    """
    return [GUIDES[name](images, folder, workers, **options) for name, options in wanted.items()]
