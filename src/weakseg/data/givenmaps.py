"""Class maps that other codes have made: the .npy files of psa, SEAM, CPN, IRNet, VWE, SIPE and AE-SIPE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from weakseg.data.classmaps import ClassMaps, load_maps
from weakseg.data.images import Size
from weakseg.data.npyfiles import read_npy
from weakseg.data.sample import BACKGROUND, Classes
from weakseg.errors import WeaksegError

SUFFIXES = (".npy", ".safetensors")
"""Of files of class maps: of other codes, and of weakseg itself."""
_KNOWN = (
    "a dict of maps by class (psa, SEAM, CPN), one with keys and cam or high_res (IRNet, VWE), or one with keys and "
    "IS_CAM (SIPE)"
)
_TOLERANCE = 1e-3


def read_given_maps(path: Path, tags: Sequence[str], classes: Classes, size: Size, *, fine: bool = False) -> ClassMaps:
    """Read the class maps of one photo.

    - ``{class: (H, W)}`` by class numbers from 0: CAMs of psa, SEAM, CPN. With a key more than the photo has tags, 0 is
      the background and classes count from 1: psa's scores after its dense CRF.
    - ``{"keys": (K,), "cam": (K, h, w), "high_res": (K, H, W)}`` by class numbers from 0: IRNet, VWE.
    - ``{"keys": (K + 1,), "IS_CAM": (K + 1, H, W)}``, 0 being the background: SIPE, AE-SIPE.
    - weakseg's own .safetensors.

    Class number c from 0 is the class with the mask value c + 1, as VOC's are and COCO's in the order of its 80.

    Args:
        path: .npy or .safetensors.
        tags: of the photo; maps of other classes are left out.
        classes: of the data set.
        size: (H, W) of the photo.
        fine: take ``high_res`` where there is ``cam`` too, which IRNet scores, instead of ``cam``, which it walks with.

    Raises:
        WeaksegError: the file cannot be read, a tag has no map, or the maps fit neither the photo nor 0..1.
    """
    labels = sorted(classes.index(tag) + 1 for tag in tags)
    if path.suffix == ".safetensors":
        own = load_maps(path)
        return _checked(dict(zip(own.classes, own.scores.numpy(), strict=True)), labels, classes, size, path)
    content = read_npy(path)
    if not isinstance(content, dict):
        raise WeaksegError(f"{path}: no class maps; known are {_KNOWN}")
    by_value = {value: label for label, value in enumerate(classes.values, start=1)}
    values = [classes.values[label - 1] for label in labels]
    found = _by_value(content, values, fine, path)
    known = {by_value.get(value, -1) if value != BACKGROUND else BACKGROUND: maps for value, maps in found.items()}
    return _checked(known, labels, classes, size, path)


def _by_value(content: Mapping[Any, Any], values: Sequence[int], fine: bool, path: Path) -> dict[int, Any]:
    """Maps by mask value, 0 for the background."""
    if "keys" in content:
        names = ("IS_CAM", "high_res", "cam") if fine else ("IS_CAM", "cam", "high_res")
        name = next((name for name in names if content.get(name) is not None), None)
        if name is None:
            raise WeaksegError(f"{path}: has keys, but neither cam, high_res nor IS_CAM")
        keys = np.asarray(content["keys"]).ravel().tolist()
        if len(keys) != len(content[name]):
            raise WeaksegError(f"{path}: {len(keys)} keys, but {len(content[name])} maps in {name}")
        first = 0 if name == "IS_CAM" else 1
        return {int(key) + first: maps for key, maps in zip(keys, content[name], strict=True)}
    if not all(isinstance(key, int) for key in content):
        raise WeaksegError(f"{path}: a dict with {', '.join(map(str, content))}; known are {_KNOWN}")
    return _numbered(content, values, path)


def _numbered(content: Mapping[int, Any], values: Sequence[int], path: Path) -> dict[int, Any]:
    """Maps by mask value where nothing but the photo's tags tells whether 0 is the background or the first class."""
    keys = set(content)
    plain, with_background = {value - 1 for value in values}, {BACKGROUND, *values}
    fits, fits_background = plain <= keys, with_background <= keys
    if fits and fits_background:
        fits, fits_background = plain == keys, with_background == keys
    if fits == fits_background:
        raise WeaksegError(
            f"{path}: classes {sorted(keys)} fit the photo's tags neither as numbers from 0 ({sorted(plain)}) nor with "
            f"the background as 0 ({sorted(with_background)}); do the tags of the data differ from those of the maps?"
        )
    return {key if fits_background else key + 1: maps for key, maps in content.items()}


def _checked(found: Mapping[int, Any], labels: Sequence[int], classes: Classes, size: Size, path: Path) -> ClassMaps:
    """The maps of a photo's labels, the background's first where there is one."""
    missing = [classes.names[label - 1] for label in labels if label not in found]
    if missing:
        raise WeaksegError(f"{path}: no map of {', '.join(missing)}, which the photo is tagged with")
    wanted = (*(label for label in (BACKGROUND,) if label in found and labels), *labels)
    if not wanted:
        return ClassMaps((), torch.zeros(0, 1, 1), size)
    maps = [np.asarray(found[label]) for label in wanted]
    shapes = {each.shape for each in maps}
    if len(shapes) > 1 or maps[0].ndim != 2 or any(each.dtype.kind not in "fiub" for each in maps):
        raise WeaksegError(f"{path}: maps must be numbers of one size (H, W), these are {sorted(map(str, shapes))}")
    if not fits_photo((maps[0].shape[0], maps[0].shape[1]), size):
        raise WeaksegError(f"{path}: maps of {_text(maps[0].shape)} do not fit a photo of {_text(size)}")
    return ClassMaps(wanted, torch.from_numpy(_scores(maps, path)), size)


def _scores(maps: Sequence[NDArray[Any]], path: Path) -> NDArray[np.float32]:
    scores = np.stack(maps).astype(np.float32)
    low, high = float(scores.min()), float(scores.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # also where a score is no number
        raise WeaksegError(f"{path}: scores go from {low:g} to {high:g}; class maps are normalised to 0..1")
    return scores.clip(0, 1)


def fits_photo(shape: Size, size: Size) -> bool:
    """Whether maps (h, w) are those of a photo (H, W) at some stride, give or take a cell of padding.

    Example:
        >>> fits_photo((94, 125), (375, 500)), fits_photo((125, 94), (375, 500))
        (True, False)
    """
    stride = max(1, round(size[0] / shape[0]), round(size[1] / shape[1]))
    slack = 0 if stride == 1 else 1
    return all(abs(cells - -(-length // stride)) <= slack for cells, length in zip(shape, size, strict=True))


def _text(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
