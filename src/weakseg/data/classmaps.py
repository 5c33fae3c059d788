"""Class maps: the soft evidence for one image that CAM methods make and refinements improve."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from weakseg.errors import WeaksegError
from weakseg.files import replacing

_KEYS = ("classes", "scores", "size")


@dataclass(frozen=True)
class ClassMaps:
    """Evidence for the labels of one image.

    Attributes:
        classes: the K labels that the maps belong to (0 background, c + 1 class c), unique.
        scores: (K, h, w) float in [0, 1], at network stride; K = 0 for an image without tags.
        size: (H, W) of the image.

    Raises:
        ValueError: the fields do not fit each other.
    """

    classes: tuple[int, ...]
    scores: Tensor
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.scores.ndim != 3 or len(self.classes) != len(self.scores):
            raise ValueError(f"{len(self.classes)} classes and scores of shape {tuple(self.scores.shape)} differ")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes repeat: {self.classes}")
        if not self.scores.is_floating_point():
            raise ValueError(f"scores are {self.scores.dtype}, not floating point")
        if min(self.size) < 1:
            raise ValueError(f"an image cannot have the size {self.size}")


def save_maps(path: Path, maps: ClassMaps) -> None:
    """Write class maps as safetensors, scores as float16; atomic, equal maps give equal bytes.

    Raises:
        WeaksegError: the file cannot be written.
    """
    # Everything is a tensor: safetensors does not promise an order for metadata entries.
    tensors = {
        "classes": torch.tensor(maps.classes, dtype=torch.int64),
        "scores": maps.scores.detach().to("cpu", torch.float16).contiguous(),
        "size": torch.tensor(maps.size, dtype=torch.int64),
    }
    with replacing(path) as temporary:
        temporary.write_bytes(save(tensors))


def load_maps(path: Path) -> ClassMaps:
    """Read class maps; scores come as float32.

    Raises:
        WeaksegError: the file is missing, damaged, or holds something else.
    """
    try:
        tensors = load(path.read_bytes())
    except OSError as error:
        raise WeaksegError(f"{path}: cannot be read ({error.strerror or error})") from None
    except SafetensorError as error:
        raise WeaksegError(
            f"{path}: damaged class maps ({error}); delete its stage's folder to have it made again"
        ) from None
    if sorted(tensors) != sorted(_KEYS) or tensors["size"].shape != (2,):
        raise WeaksegError(f"{path}: no class maps (it holds {', '.join(sorted(tensors)) or 'nothing'})")
    classes, (height, width) = tensors["classes"].tolist(), tensors["size"].tolist()
    try:
        return ClassMaps(tuple(classes), tensors["scores"].float(), (height, width))
    except (TypeError, ValueError) as error:
        raise WeaksegError(f"{path}: no class maps ({error})") from None


def save_levels(path: Path, maps: ClassMaps) -> None:
    """Write class maps as a compressed npz, scores in steps of 1/255; atomic, equal maps give equal bytes.

    Scores of a dense CRF are nearly all 0 or 1: they take a tenth of the space of `save_maps` or less.

    Raises:
        WeaksegError: the file cannot be written.
    """
    levels = (maps.scores.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, classes=np.array(maps.classes, np.int64), scores=levels, size=np.array(maps.size))


def load_levels(path: Path) -> ClassMaps:
    """Read what `save_levels` wrote; scores come as float32.

    Raises:
        WeaksegError: the file is missing, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            classes, levels, size = (archive[key] for key in _KEYS)
        scores = torch.from_numpy(levels).float() / 255
        return ClassMaps(tuple(classes.tolist()), scores, (int(size[0]), int(size[1])))
    except FileNotFoundError:
        raise WeaksegError(f"{path}: cannot be read (no such file)") from None
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WeaksegError(
            f"{path}: damaged class maps ({error}); delete its stage's folder to have it made again"
        ) from None
