"""A segmentation network on an image that is too large to be looked at in one go.

The encoder sees overlapping tiles whose features are put together; the context of DeepLabV3+ (atrous convolutions and
the mean of the whole image) is taken of the whole feature map, so that it is the same as without tiles; the decoder
works on it row by row. What differs from one go is the encoder's view beyond the surroundings of a tile.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.tiles import Rows, resized_rows, tiles
from weakseg.ops.views import normalised
from weakseg.segmentation.deeplabv3plus import DeepLabV3Plus
from weakseg.training.device import trim_memory

SIDE = 512
"""Of the part of the image that a tile answers for, in pixels."""
HALO = 256
"""Width of its surroundings that the encoder sees too, in pixels."""
FINE = 4
"""Stride of the features that the decoder of DeepLabV3+ adds to the context, and of its logits."""
_CELLS = 1 << 16  # of the decoder's map at a time


@torch.no_grad()
def coarse_logits(model: DeepLabV3Plus, view: Tensor, *, side: int = SIDE, halo: int = HALO) -> Tensor:
    """The logits of an image at stride 4, before the network enlarges them.

    Args:
        model: in eval mode.
        view: uint8 (3, H, W), RGB, on the model's device.
        side: of a tile without its surroundings, a multiple of the output stride.
        halo: likewise, width of the surroundings.

    Returns:
        float32 (1, n_labels, h / 4, w / 4), where h and w are H and W rounded up to the output stride.
    """
    deep, fine = _features(model, view, side, halo)
    decoder: Any = model.network.decoder
    context = decoder.aspp(deep)
    del deep
    trim_memory()
    height, width = fine.shape[-2:]
    found = []
    step = max(1, _CELLS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # One more row on either side for the 3x3 convolution; at the image's border it finds zeros, as in one go.
        first, last = max(0, top - 1), min(bottom + 1, height)
        enlarged = resized_rows(_rows(context), context.shape[-2], (height, width), first, last, align_corners=True)
        fused = decoder.block2(torch.cat([enlarged, fine[:, :, first:last]], dim=1))
        head: Any = model.network.segmentation_head
        found.append(head[0](fused[:, :, top - first : bottom - first]).float())
    return torch.cat(found, dim=2)


def logit_rows(logits: Tensor, size: tuple[int, int], start: int, stop: int) -> Tensor:
    """Rows of what the network gives for an image of ``size`` (H, W), from its `coarse_logits`.

    Returns:
        (1, n_labels, stop - start, W).
    """
    height, width = (side * FINE for side in logits.shape[-2:])
    rows = resized_rows(_rows(logits), logits.shape[-2], (height, width), start, stop, align_corners=True)
    return rows[..., : size[1]]


def _features(model: DeepLabV3Plus, view: Tensor, side: int, halo: int) -> tuple[Tensor, Tensor]:
    """The coarsest level, and the decoder's reduction of the level at stride 4, of the whole image."""
    stride = model.backbone.strides[-1]
    decoder: Any = model.network.decoder
    encoder: Any = model.network.encoder
    height, width = (length + -length % stride for length in view.shape[-2:])
    deep = fine = torch.empty(0)
    for tile in tiles((height, width), side, halo):
        rows, columns = tile.window
        part = normalised(view[:, rows, columns], model.mean, model.std)
        beyond = (0, columns.stop - columns.start - part.shape[-1], 0, rows.stop - rows.start - part.shape[-2])
        levels = encoder(F.pad(part, beyond)[None].contiguous(memory_format=torch.channels_last))
        reduced = decoder.block1(levels[2])
        if not deep.numel():
            deep = levels[-1].new_empty(1, levels[-1].shape[1], height // stride, width // stride)
            fine = reduced.new_empty(1, reduced.shape[1], height // FINE, width // FINE)
        deep[:, :, *tile.strided(stride)] = levels[-1][:, :, *tile.inside(stride)]
        fine[:, :, *tile.strided(FINE)] = reduced[:, :, *tile.inside(FINE)]
    return deep, fine


def _rows(maps: Tensor) -> Rows:
    return lambda start, stop: maps[:, :, start:stop]
