"""The photo patches that are nearest to every visual word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from weakseg.data.sample import Array, Sample
from weakseg.methods.vwe.vwe import VWE
from weakseg.methods.vwe.words import word_similarity
from weakseg.ops.views import photo_tensor, scaled_view

CELLS = 4
"""Side of a patch, in pixels of the coarsest features."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Patch:
    """A part of a photo.

    Attributes:
        photo: its id.
        box: left, top, right, bottom in pixels of the photo, the last two not included.
        similarity: cosine of a word and the features at the patch's centre, -1 to 1.
    """

    photo: str
    box: Box
    similarity: float


@dataclass(frozen=True)
class Word:
    """A visual word that is the likeliest of some pixel.

    Attributes:
        number: its place in the codebook.
        class_name: the tag that most of its patches' photos have; "" if none has a tag.
        agreement: the share of them that has it, 0 to 1.
        pixels: how many pixels of the coarsest features it is the likeliest word of.
        patches: the nearest first, each of another photo.
    """

    number: int
    class_name: str
    agreement: float
    pixels: int
    patches: tuple[Patch, ...]


@dataclass
class _Seen:
    """What is kept of the photos: per photo and word the similarity of its nearest cell, and the patch there."""

    pixels: Tensor
    samples: list[Sample] = field(default_factory=list)
    nearest: list[Tensor] = field(default_factory=list)
    boxes: list[list[Box]] = field(default_factory=list)


def find_words(model: VWE, codebook: Tensor, photos: Iterable[tuple[Sample, Array]], patches: int) -> list[Word]:
    """Find the nearest patches of every word.

    Args:
        model: a trained network in evaluation mode.
        codebook: its words, (k, D).
        photos: with their pixels, uint8 (H, W, 3).
        patches: how many per word; fewer where there are fewer photos.

    Returns:
        the words by number, without those that are the likeliest of no pixel.
    """
    seen = _look(model, codebook, photos)
    if not seen.samples:
        return []
    scores, chosen = torch.stack(seen.nearest).topk(min(patches, len(seen.samples)), dim=0)
    frequency = Counter(tag for sample in seen.samples for tag in sample.tags)
    found = []
    for number in torch.nonzero(seen.pixels)[:, 0].tolist():
        pairs = list(zip(chosen[:, number].tolist(), scores[:, number].tolist(), strict=True))
        name, agreement = majority([seen.samples[index].tags for index, _ in pairs], frequency)
        parts = (Patch(seen.samples[index].id, seen.boxes[index][number], round(score, 4)) for index, score in pairs)
        found.append(Word(number, name, agreement, int(seen.pixels[number]), tuple(parts)))
    return found


@torch.inference_mode()
def _look(model: VWE, codebook: Tensor, photos: Iterable[tuple[Sample, Array]]) -> _Seen:
    seen = _Seen(torch.zeros(len(codebook), dtype=torch.int64))
    side = CELLS * model.backbone.strides[-1]
    for sample, image in photos:
        photo = photo_tensor(torch.from_numpy(image)).to(codebook.device)
        features = model.backbone(scaled_view(photo, 1.0, model.mean, model.std)[None])[-1]
        similarity = word_similarity(features, codebook)[0].cpu()
        seen.pixels += torch.bincount(similarity.argmax(dim=0).flatten(), minlength=len(codebook))
        best, cells = similarity.flatten(1).max(dim=1)
        grid, size = (similarity.shape[1], similarity.shape[2]), (image.shape[0], image.shape[1])
        seen.samples.append(sample)
        seen.nearest.append(best)
        seen.boxes.append([patch_box(cell, grid, size, side) for cell in cells.tolist()])
    return seen


def patch_box(cell: int, grid: tuple[int, int], size: tuple[int, int], side: int) -> Box:
    """The square of a photo around the centre of a cell, moved inside the photo.

    Args:
        cell: its number, row by row.
        grid: rows and columns.
        size: height and width of the photo.
        side: of the square; a shorter photo cuts it.

    Example:
        >>> patch_box(5, (3, 4), (48, 64), 32)
        (8, 8, 40, 40)
    """
    edges = []
    for index, count, length in zip(divmod(cell, grid[1]), grid, size, strict=True):
        centre = (index + 0.5) * length / count
        start = min(max(round(centre - side / 2), 0), max(length - side, 0))
        edges.append((start, min(start + side, length)))
    (top, bottom), (left, right) = edges
    return left, top, right, bottom


def majority(tags: Sequence[Sequence[str]], frequency: Mapping[str, int]) -> tuple[str, float]:
    """The tag that most photos have, and their share; of equal tags that which is rarest among all photos.

    Args:
        tags: of each of the photos, of which there is at least one.
        frequency: of the tags among all photos.
    """
    counts = Counter(tag for names in tags for tag in names)
    if not counts:
        return "", 0.0
    name = max(counts, key=lambda tag: (counts[tag], -frequency[tag], tag))
    return name, counts[name] / len(tags)
