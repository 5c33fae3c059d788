"""Photos as Python programs hold them, as the arrays that networks look at."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from weakseg.data.images import image_array
from weakseg.data.sample import Array, Sample
from weakseg.errors import WeaksegError
from weakseg.pipeline.newphotos.network import RunNetwork

Photo = Array | Image.Image | Tensor | Sample | str | os.PathLike[str]
"""A photo: see `photo_array`."""


def photo_array(photo: object, network: RunNetwork) -> Array:
    """A photo as uint8 RGB (H, W, 3).

    Args:
        photo: one of
            a numpy array, uint8, (H, W, 3) of red, green and blue, or grey (H, W) or (H, W, 1);
            a torch tensor, (3, H, W) of red, green and blue, or grey (1, H, W) or (H, W), on any device: uint8 of
            0..255, or floats of 0..1;
            a PIL image of any mode, turned upright by its EXIF tag as the photo of a file is;
            the path of an image file;
            a sample of `weakseg.open_data`.
        network: that is going to look at it.

    Raises:
        WeaksegError: anything else, or a file that cannot be read.
    """
    if isinstance(photo, Sample):
        return network.read(photo)
    if isinstance(photo, (str, os.PathLike)):
        path = Path(photo)
        if not path.exists():
            raise WeaksegError(f"{path}: no such file or folder; give an image, or predict a folder of images")
        if path.is_dir():
            raise WeaksegError(f"{path}: is a folder; predict takes folders, a call one photo")
        return network.read(Sample(path.stem, path, ()))
    if isinstance(photo, Image.Image):
        return image_array(photo, network.levels)
    if isinstance(photo, Tensor):
        return _of_tensor(photo)
    if isinstance(photo, np.ndarray):
        return _of_array(photo)
    raise WeaksegError(
        f"a photo is a numpy array, a PIL image, a torch tensor or the path of a file, not {type(photo).__name__}"
    )


def _of_array(photo: np.ndarray) -> Array:
    grey = photo.ndim == 2 or (photo.ndim == 3 and photo.shape[2] == 1)
    coloured = photo.ndim == 3 and photo.shape[2] == 3
    if photo.dtype != np.uint8 or not (grey or coloured) or not photo.size:
        raise WeaksegError(
            "a photo is a numpy array uint8 (H, W, 3) of red, green and blue, or grey (H, W), "
            f"not {photo.dtype} {photo.shape}{_array_hint(photo)}"
        )
    if grey:
        photo = np.repeat(photo.reshape(*photo.shape[:2], 1), 3, axis=2)
    return np.require(photo, requirements=["C", "W"])  # torch takes no mirrored and no read-only arrays


def _array_hint(photo: np.ndarray) -> str:
    """What may have been meant, and how to say it."""
    if photo.ndim == 4:
        return "; many photos are given as predict(list(photos))"
    if photo.ndim == 3 and photo.shape[2] == 4:
        return "; leave the fourth channel out (photo[..., :3]), or give a PIL image, whose mode says what it is"
    if photo.ndim == 3 and photo.shape[0] in (1, 3) and photo.shape[2] not in (1, 3):
        return "; the channels come last (photo.transpose(1, 2, 0)), or give a torch tensor"
    if photo.dtype.kind == "f":
        return "; of values in [0, 1] make (photo * 255).round().astype('uint8')"
    return ""


def _of_tensor(photo: Tensor) -> Array:
    shape = tuple(photo.shape)
    floats = photo.dtype.is_floating_point
    if photo.ndim == 2:
        photo = photo[None]
    known = floats or photo.dtype == torch.uint8
    if not known or photo.ndim != 3 or photo.shape[0] not in (1, 3) or not photo.numel():
        raise WeaksegError(
            "a photo is a torch tensor (3, H, W) of red, green and blue, or grey (H, W), uint8 of 0..255 or floats of "
            f"0..1, not {photo.dtype} {shape}{_tensor_hint(shape)}"
        )
    photo = photo.detach().cpu()
    if floats:
        low, high = float(photo.min()), float(photo.max())
        if not 0 <= low <= high <= 1:
            raise WeaksegError(
                f"the floats of a photo go from 0 to 1, here from {low:.3g} to {high:.3g}; undo a normalisation by "
                "mean and deviation, or give uint8 of 0..255"
            )
        photo = (photo.float() * 255).round().to(torch.uint8)
    return photo.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def _tensor_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "; many photos are given as predict(list(photos))"
    if len(shape) == 3 and shape[2] in (1, 3) and shape[0] not in (1, 3):
        return "; the channels come first (photo.permute(2, 0, 1)), or give photo.numpy()"
    return ""
