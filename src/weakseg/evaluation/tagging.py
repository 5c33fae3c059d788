"""How well the classifier knows the tags: the commonest cause of bad masks, and visible without any mask."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import multilabel_average_precision

from weakseg.data.sample import ImageSet
from weakseg.methods.base import CamMethod
from weakseg.ops.views import photo_tensor, scaled_view
from weakseg.training.progress import track

FEWEST = 20  # photos of a list that some can be held back from
KEPT = 4  # photos of every class that stay in training

Knowledge = dict[str, Any]
"""on: which photos; images; mean_average_precision; recall and precision over all tags; classes: the same for each."""


def hold_back(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Part a training list into what is learnt from and what the classifier is judged by.

    A photo is held back only while every class that it shows keeps ``KEPT`` photos.

    Args:
        images: the list.
        share: of it to hold back, 0 to 1.
        seed: of the choice.

    Returns:
        The list without them, and those held back; all and none where there are fewer than ``FEWEST`` photos.
    """
    count = round(share * len(images)) if len(images) >= FEWEST else 0
    left = Counter(tag for sample in images.samples for tag in sample.tags)
    held: set[int] = set()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed)).tolist()
    for index in order:
        tags = images.samples[index].tags
        if len(held) < count and all(left[tag] > KEPT for tag in tags):
            held.add(index)
            left.subtract(tags)
    if not held:
        return images, ImageSet(images.classes, [])
    samples = list(images.samples)
    rest = [sample for index, sample in enumerate(samples) if index not in held]
    return ImageSet(images.classes, rest), ImageSet(images.classes, [samples[index] for index in sorted(held)])


@torch.no_grad()
def tag_knowledge(model: CamMethod, images: ImageSet, device: torch.device, on: str) -> Knowledge:
    """Recall, precision and average precision of the tags, at the photos' own size and probability 0.5.

    Args:
        model: a CAM network in eval mode, on ``device``.
        images: photos with tags.
        device: where to compute.
        on: what the photos are called.

    Returns:
        Fractions in [0, 1]; None where no photo has the tag, or for the precision of a tag that is never found.
    """
    scores = torch.zeros(len(images), len(images.classes))
    for index, sample in enumerate(track(images.samples, "classify: tags", len(images))):
        photo = photo_tensor(torch.from_numpy(sample.read_image())).to(device)
        view = scaled_view(photo, 1.0, model.mean, model.std)
        scores[index] = model.logits(view[None])[0].sigmoid().float().cpu()
    tags = torch.from_numpy(np.stack([images.classes.multi_hot(sample.tags) for sample in images.samples])).long()
    return knowledge(scores, tags, images.classes.names, on)


def knowledge(scores: torch.Tensor, tags: torch.Tensor, names: tuple[str, ...], on: str) -> Knowledge:
    """The figures of ``tag_knowledge`` of probabilities (N, C) and tags (N, C) of zeros and ones."""
    found, right = scores >= 0.5, (scores >= 0.5) & (tags == 1)
    precise = _average_precision(scores, tags)
    classes = {
        name: {
            "images": int(tags[:, index].sum()),
            "found": int(right[:, index].sum()),
            "recall": _ratio(right[:, index].sum(), tags[:, index].sum()),
            "precision": _ratio(right[:, index].sum(), found[:, index].sum()),
            "average_precision": precise[index],
        }
        for index, name in enumerate(names)
    }
    known = [value for value in precise if value is not None]
    return {
        "on": on,
        "images": len(tags),
        "mean_average_precision": sum(known) / len(known) if known else None,
        "recall": _ratio(right.sum(), tags.sum()),
        "precision": _ratio(right.sum(), found.sum()),
        "classes": classes,
    }


def _average_precision(scores: torch.Tensor, tags: torch.Tensor) -> list[float | None]:
    if not len(tags) or not scores.shape[1]:
        return [None] * scores.shape[1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No positive samples")  # such classes have None below
        found = multilabel_average_precision(scores, tags, num_labels=scores.shape[1], average="none")
    values = [float(value) for value in found.reshape(-1)]
    present = (tags.sum(dim=0) > 0).tolist()
    return [value if there and not math.isnan(value) else None for value, there in zip(values, present, strict=True)]


def _ratio(part: torch.Tensor, whole: torch.Tensor) -> float | None:
    return int(part) / int(whole) if int(whole) else None
