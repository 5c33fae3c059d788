"""Class maps: the soft evidence for one image that CAM methods make and refinements improve."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from weakseg.errors import WeaksegError
from weakseg.files import replacing
from weakseg.ops.maps import resize_maps

_KEYS = ("classes", "scores", "size")


@dataclass(frozen=True)
class ClassMaps:
    """Evidence for the labels of one image.

    Attributes:
        classes: the K labels that the maps belong to (0 background, c + 1 class c), unique.
        scores: (K, h, w) float in [0, 1], at network stride; K = 0 for an image without tags.
        size: (H, W) of the image.
        full: the same evidence at the image's size, (K, H, W), where it was made apart (`with_full`); else None. What
            has other scores (``dataclasses.replace(maps, scores=...)``) does not have it.

    Raises:
        ValueError: the fields do not fit each other.
    """

    classes: tuple[int, ...]
    scores: Tensor
    size: tuple[int, int]
    full: Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.scores.ndim != 3 or len(self.classes) != len(self.scores):
            raise ValueError(f"{len(self.classes)} classes and scores of shape {tuple(self.scores.shape)} differ")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes repeat: {self.classes}")
        if not self.scores.is_floating_point():
            raise ValueError(f"scores are {self.scores.dtype}, not floating point")
        if min(self.size) < 1:
            raise ValueError(f"an image cannot have the size {self.size}")

    def with_full(self, full: Tensor) -> ClassMaps:
        """These maps with the evidence at the image's size, (K, H, W). Raises ValueError for another number of maps."""
        if full.ndim != 3 or len(full) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes and full scores of shape {tuple(full.shape)} differ")
        made = replace(self)
        object.__setattr__(made, "full", full)
        return made

    def channels(self, which: slice) -> ClassMaps:
        """Some of the maps."""
        part = ClassMaps(self.classes[which], self.scores[which], self.size)
        return part if self.full is None else part.with_full(self.full[which])

    def at(self, size: tuple[int, int]) -> ClassMaps:
        """The maps of the same image at another size (H, W)."""
        moved = replace(self, size=size)
        return moved if self.full is None else moved.with_full(self.full)

    def full_scores(self) -> Tensor:
        """The scores at the image's size, (K, H, W): ``full``, or without it ``scores``, bilinear."""
        return resize_maps(self.scores if self.full is None else self.full, self.size)


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
    if maps.full is not None:
        tensors["full"] = maps.full.detach().to("cpu", torch.float16).contiguous()
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
    full = tensors.pop("full", None)
    if sorted(tensors) != sorted(_KEYS) or tensors["size"].shape != (2,):
        raise WeaksegError(f"{path}: no class maps (it holds {', '.join(sorted(tensors)) or 'nothing'})")
    classes, (height, width) = tensors["classes"].tolist(), tensors["size"].tolist()
    try:
        maps = ClassMaps(tuple(classes), tensors["scores"].float(), (height, width))
        return maps if full is None else maps.with_full(full.float())
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
