"""Masks of photos by a trained segmentation network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.data.sample import Array
from weakseg.models.segmentation import SegmentationNet
from weakseg.ops.crf import PRESETS, dense_crf, unary_from_scores
from weakseg.ops.views import photo_tensor, scaled_view, with_flip
from weakseg.pipeline.recipe import PredictSection


@torch.no_grad()
def segment_photo(model: SegmentationNet, image: Array, section: PredictSection, device: torch.device) -> Tensor:
    """Class probabilities of one photo: the softmax of the mean logits over scales and flips, and a dense CRF if asked.

    Args:
        model: a segmentation network in eval mode, on ``device``.
        image: uint8 RGB (H, W, 3), any size.
        section: scales (factors of the photo's size), flip (also look at the mirrored photo), crf.
        device: where to compute.

    Returns:
        float32 (C + 1, H, W) on the CPU, background first.
    """
    photo = photo_tensor(torch.from_numpy(image)).to(device)
    size = (image.shape[0], image.shape[1])
    total: Tensor | float = 0.0
    for factor in section.scales:
        view = scaled_view(photo, factor, model.mean, model.std)
        logits = model(with_flip(view) if section.flip else view[None].contiguous(memory_format=torch.channels_last))
        merged = (logits[0] + logits[1].flip(-1)) / 2 if section.flip else logits[0]
        total = total + F.interpolate(merged[None].float(), size, mode="bilinear", align_corners=False)[0]
    assert isinstance(total, Tensor)
    probabilities = (total / len(section.scales)).softmax(dim=0)
    if section.crf is not None:
        probabilities = dense_crf(image, unary_from_scores(probabilities), PRESETS[section.crf])
    return probabilities.cpu()
