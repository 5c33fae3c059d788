"""Masks of photos of any size by a trained segmentation network, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from annotated_types import MinLen
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.data.images import working_size
from weakseg.data.sample import Array
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.tiles import Size, enlarged, resized_rows, strips, tiles
from weakseg.ops.views import photo_tensor, photo_views, resized, scaled_size
from weakseg.refine.steps import Preset
from weakseg.segmentation.deeplabv3plus import DeepLabV3Plus
from weakseg.segmentation.piecewise import coarse_logits, logit_rows
from weakseg.settings import Scale, settings
from weakseg.training.device import giving_back_memory, trim_memory

WHOLE = 2_500_000
"""Pixels of a view that a network looks at in one go: more than any VOC photo has at twice its size, both mirrored."""
CRF_SCORES = 8_000_000
"""Scores (pixels times labels) of a dense CRF: larger photos are refined at a size that has so many."""
OVERLAP = 256
"""Pixels that the regions of a huge photo see of each other."""
_BUDGET = 900_000_000  # bytes of features and logits of a region


@settings
class PredictSettings:
    """How a trained segmentation network looks at a photo."""

    scales: Annotated[tuple[Scale, ...], MinLen(1)] = (1.0,)
    """Factors of the photo's size, or of its working size (data.long_side)."""
    flip: bool = True
    """Also look at the mirrored photo."""
    crf: Preset | None = None
    """Preset of the dense CRF that refines the network's probabilities; null for none."""


class _Looks(NamedTuple):
    """`PredictSettings` for one photo; at a working size scales may be any.

    ``held`` are the labels that may win, all where it is None.
    """

    scales: tuple[float, ...]
    flip: bool
    crf: str | None
    held: tuple[int, ...] | None = None


Looks = PredictSettings | _Looks


class Segmented(NamedTuple):
    """A photo's mask.

    Attributes:
        labels: uint8 (H, W), 0 background, c + 1 class c.
        confidence: float32 (H, W), the probability that the network gives to each label.
    """

    labels: Tensor
    confidence: Tensor


@torch.no_grad()
def segment_photo(
    model: nn.Module,
    image: Array,
    section: PredictSettings,
    device: torch.device,
    long_side: int | None = None,
    held: Sequence[int] | None = None,
) -> Segmented:
    """The most probable label of each pixel of a photo.

    A photo whose views fit is looked at whole. A larger one goes through the network in tiles that share their context
    (`weakseg.segmentation.piecewise`), a huge one in regions that overlap by `OVERLAP` pixels, each in tiles.

    Args:
        model: a segmentation network in eval mode, on ``device``.
        image: uint8 RGB (H, W, 3), any size.
        section: scales (factors of the photo's size), flip (also look at the mirrored photo), crf.
        device: where to compute.
        long_side: the working size of the photos that the network has learnt from: scales are factors of the photo
            reduced to it. None for the photo's own size.
        held: the labels that may win a pixel, such as 0 and those of the photo's tags; None for all.

    Returns:
        labels and confidence at the photo's size, on the CPU.
    """
    height, width = image.shape[:2]
    looks = at_working_size(section, (height, width), long_side, held)
    if height * width * max(1.0, *looks.scales) ** 2 <= WHOLE:
        return _strongest(probabilities(model, image, looks, device))
    side = max(64, math.isqrt(WHOLE) // math.ceil(max(1.0, *looks.scales)))
    side = region_side(model, looks) if isinstance(model, DeepLabV3Plus) else side
    labels, confidence = torch.empty(height, width, dtype=torch.uint8), torch.empty(height, width)
    with giving_back_memory():
        for tile in tiles((height, width), side, OVERLAP):
            region = np.ascontiguousarray(image[tile.window])
            if isinstance(model, DeepLabV3Plus):
                part = _in_tiles(model, region, looks, device)
            else:
                part = _strongest(probabilities(model, region, looks, device))
            labels[tile.core], confidence[tile.core] = part.labels[tile.inside()], part.confidence[tile.inside()]
    return Segmented(labels, confidence)


def at_working_size(
    section: PredictSettings, size: Size, long_side: int | None, held: Sequence[int] | None = None
) -> Looks:
    """The section for one photo of ``size`` (H, W): scales are factors of its working size, masks have its own.

    A network that has learnt from photos reduced to ``long_side`` knows objects at the size that they have there.
    """
    factor = max(working_size(size, long_side)) / max(size)
    labels = None if held is None else tuple(held)
    return _Looks(tuple(scale * factor for scale in section.scales), section.flip, section.crf, labels)


@torch.no_grad()
def probabilities(model: nn.Module, image: Array, section: Looks, device: torch.device) -> Tensor:
    """Class probabilities of one photo: the softmax of the mean logits over scales and flips, and a dense CRF if asked.

    Args:
        model: a segmentation network in eval mode, on ``device``.
        image: uint8 RGB (H, W, 3), not too large for the memory.
        section: scales (factors of the photo's size), flip (also look at the mirrored photo), crf.
        device: where to compute.

    Returns:
        float32 (C + 1, H, W) on the CPU, background first.
    """
    photo = photo_tensor(torch.from_numpy(image)).to(device)
    size = (image.shape[0], image.shape[1])
    total: Tensor | float = 0.0
    net: Any = model
    for views in photo_views(photo, section.scales, net.mean, net.std, flip=section.flip):
        merged = _merged_logits(model, views)
        total = total + F.interpolate(merged[None].float(), size, mode="bilinear", align_corners=False)[0]
    assert isinstance(total, Tensor)
    found = _softmax(total / len(section.scales), section)
    return found.cpu() if section.crf is None else _refined(image, found, section)


def _merged_logits(model: nn.Module, views: Tensor) -> Tensor:
    """Logits (C + 1, h, w) of a view, the mean with those of its mirror image where it comes with one."""
    if len(views) == 1:
        return model(views.contiguous(memory_format=torch.channels_last))[0]  # type: ignore[no-any-return]
    # Both at once where they fit: one by one a large view takes half the memory.
    fit = views[0, 0].numel() * 2 <= WHOLE
    logits = model(views) if fit else [model(single[None])[0] for single in views]
    return (logits[0] + logits[1].flip(-1)) / 2  # type: ignore[no-any-return]


def region_side(model: DeepLabV3Plus, section: Looks) -> int:
    """The side of the regions of a huge photo: what a region needs stays within a budget, whatever the network."""
    stride, mirrored = model.backbone.strides[-1], 2 if section.flip else 1
    labels = model.network.segmentation_head[0].out_channels  # type: ignore[index,union-attr]
    # In floats per pixel of a view: the coarsest features and five branches of context; the fine features; logits.
    features = (model.backbone.channels[-1] + 2048) / stride**2 + 48 / 16
    per_pixel = max(section.scales) ** 2 * features + sum(f * f for f in section.scales) * mirrored * labels / 16
    return max(1024, math.isqrt(int(_BUDGET / 4 / per_pixel)))


def _in_tiles(model: DeepLabV3Plus, image: Array, section: Looks, device: torch.device) -> Segmented:
    """A photo, or a region of a huge one, through the network in tiles."""
    photo = photo_tensor(torch.from_numpy(image)).to(device)
    size = (image.shape[0], image.shape[1])
    views: list[tuple[Tensor, Size, bool]] = []
    for factor in section.scales:
        view_size = scaled_size(size, factor)
        view = resized(photo, view_size)
        views.append((coarse_logits(model, view), view_size, False))
        if section.flip:
            views.append((coarse_logits(model, view.flip(-1)), view_size, True))
        trim_memory()
    if section.crf is None:
        parts = [_strongest(_mean_rows(views, section, size, *rows)) for rows in strips(size)]
        return Segmented(torch.cat([part.labels for part in parts]), torch.cat([part.confidence for part in parts]))
    small = _crf_size(size, views[0][0].shape[1])
    scores = torch.cat([_mean_rows(views, section, small, *rows) for rows in strips(small)], dim=1)
    reduced = resized(photo, small).permute(1, 2, 0).cpu().numpy()
    return enlarged_strongest(_refined(np.ascontiguousarray(reduced), scores, section), size)


def _softmax(logits: Tensor, section: Looks) -> Tensor:
    """Probabilities (C + 1, h, w) of logits; 0 for labels that are held back."""
    held = getattr(section, "held", None)
    if held is not None:
        kept = logits.new_full((len(logits), 1, 1), -torch.inf)
        kept[list(held)] = 0
        logits = logits + kept
    return logits.softmax(dim=0)


def _mean_rows(views: list[tuple[Tensor, Size, bool]], section: Looks, size: Size, start: int, stop: int) -> Tensor:
    """Rows of the probabilities (C + 1, stop - start, W) at a size, of the logits of all views."""
    total: Tensor | float = 0.0
    for logits, view_size, mirrored in views:
        rows = resized_rows(
            partial(logit_rows, logits, view_size),
            view_size[0],
            size,
            start,
            stop,
            align_corners=False,
        )
        total = total + (rows.flip(-1) if mirrored else rows)
    assert isinstance(total, Tensor)
    return _softmax(total[0] / len(views), section)


def _strongest(scores: Tensor) -> Segmented:
    confidence, labels = scores.max(dim=0)
    return Segmented(labels.byte().cpu(), confidence.float().cpu())


def enlarged_strongest(scores: Tensor, size: Size) -> Segmented:
    """The strongest of scores (K, h, w) at another size, bilinear, without making all scores at that size."""
    parts = [_strongest(rows) for rows in enlarged(scores, size)]
    return Segmented(torch.cat([part.labels for part in parts]), torch.cat([part.confidence for part in parts]))


def _crf_size(size: Size, labels: int) -> Size:
    """The largest size at which a dense CRF of so many labels fits; the size itself if it does."""
    return scaled_size(size, min(1.0, math.sqrt(CRF_SCORES / (labels * size[0] * size[1]))))


def _refined(image: Array, scores: Tensor, section: Looks) -> Tensor:
    """Probabilities (C + 1, h, w) by the dense CRF among the labels that may win."""
    held, preset = getattr(section, "held", None), PRESETS[str(section.crf)]
    if held is None:
        return dense_crf(image, unary_from_scores(scores), preset).cpu()
    found = torch.zeros_like(scores, device="cpu")
    found[list(held)] = dense_crf(image, unary_from_scores(scores[list(held)]), preset).cpu()
    return found
