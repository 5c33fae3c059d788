"""IRNet: where objects end, and where each pixel's object has its centre (Ahn, Cho and Kwak 2019).

See docs/methods/irnet.md, "Branches", "Total loss" and "Mean shift".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import BeforeValidator
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.irnet.path_loss import path_loss
from weakseg.ops.maps import strided_size
from weakseg.ops.views import scaled_view, with_flip

STRIDE = 4
COARSE = 8
EDGE_WIDTH = 32
WIDTH = 256


def _known_canvas(value: object) -> object:
    if value != "photo" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("must be photo or the side of the canvas in pixels")
    return value


Canvas = Annotated[int | Literal["photo"], BeforeValidator(_known_canvas)]
"""What a photo is laid on at inference: the side of a square in pixels, or "photo" for no more than the photo."""


class Reduce(nn.Sequential):
    """1x1 convolution without bias and group normalisation; its rectification follows after resizing."""

    def __init__(self, channels: int, width: int, groups: int) -> None:
        super().__init__(nn.Conv2d(channels, width, 1, bias=False), nn.GroupNorm(groups, width))


class EdgeBranch(nn.Module):
    """Levels -> boundary logits: 32 channels of each level, joined at stride 4.

    Args:
        channels: of every level.
        strides: of every level, at least 4.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.reduce = nn.ModuleList(Reduce(count, EDGE_WIDTH, 4) for count in channels)
        self.join = nn.Conv2d(EDGE_WIDTH * len(channels), 1, 1)

    def forward(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits (N, 1, ⌈H / 4⌉, ⌈W / 4⌉) of the levels of images of size (H, W)."""
        parts = [
            F.relu(enlarged(reduce(level), stride, STRIDE, size))
            for level, stride, reduce in zip(levels, self.strides, self.reduce, strict=True)
        ]
        logits: Tensor = self.join(torch.cat(parts, dim=1))
        return logits


class DisplacementBranch(nn.Module):
    """Levels -> displacements: the coarse levels joined at stride 8, then with the fine ones at stride 4.

    Args:
        channels: of every level.
        strides: of every level, at least 4.
        widths: channels of the levels after their convolution.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        coarse = [width for width, stride in zip(widths, strides, strict=True) if stride > STRIDE]
        self.reduce = nn.ModuleList(
            Reduce(count, width, min(16, width // 8)) for count, width in zip(channels, widths, strict=True)
        )
        self.join_coarse = Reduce(sum(coarse), WIDTH, 16)
        self.join = Reduce(sum(widths) - sum(coarse) + WIDTH, WIDTH, 16)
        self.point = nn.Conv2d(WIDTH, 2, 1, bias=False)

    def forward(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Displacements (N, 2, ⌈H / 4⌉, ⌈W / 4⌉) of the levels of images of size (H, W)."""
        fine: list[Tensor] = []
        coarse: list[Tensor] = []
        for level, stride, reduce in zip(levels, self.strides, self.reduce, strict=True):
            side, target = (coarse, COARSE) if stride > STRIDE else (fine, STRIDE)
            side.append(F.relu(enlarged(reduce(level), stride, target, size)))
        joined = self.join_coarse(torch.cat(coarse, dim=1))
        fine.append(F.relu(enlarged(joined, COARSE, STRIDE, size)))
        displacement: Tensor = self.point(F.relu(self.join(torch.cat(fine, dim=1))))
        return displacement


class IRNet(nn.Module):
    """Two branches on all levels of a frozen backbone.

    On a ResNet50 of five levels (strides 2, 4, 8, 16, 16, no dilation) it is the published network. The rules that
    carry it to other backbones: a level finer than stride 4 is max-pooled to it, as a ResNet pools its first level; the
    widths of the displacement branch are 128 at stride 4, half as many for each halving below it, 256 above it.

    Group normalisation takes its statistics over all that the network sees, padding included. The released code lays
    every photo on a canvas of 512 x 512, as its training crops are, and cuts larger ones (docs/methods/irnet.md,
    "Canvas").

    Args:
        backbone: used in evaluation mode, without gradient.
        radius: of the pairs that it is trained on, in map pixels.
        displacement: whether it has that branch, which only the search for instances reads; without it displacements
            are 0.
        canvas: what `maps` lays a photo on; see `canvas_size`.

    Attributes:
        mean: and ``std``: the normalisation of RGB in [0, 1] that it expects.
        mean_shift: mean displacement (dy, dx), subtracted in evaluation mode; see `calibrate`.
    """

    mean_shift: Tensor
    RELEASED: ClassVar[Mapping[str, str]] = {
        **{f"fc_edge{number + 1}.": f"edge.reduce.{number}." for number in range(5)},
        "fc_edge6.": "edge.join.",
        **{f"fc_dp{number + 1}.": f"displacement.reduce.{number}." for number in range(5)},
        "fc_dp6.": "displacement.join_coarse.",
        "fc_dp7.": "displacement.join.",
        "fc_dp7.3.": "displacement.point.",
        "fc_dp7.4.running_mean": "mean_shift",
    }
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(
        self, backbone: Backbone, *, radius: int = 10, displacement: bool = True, canvas: Canvas = "photo"
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.mean, self.std = backbone.mean, backbone.std
        self.radius, self.canvas = radius, canvas
        strides = [max(stride, STRIDE) for stride in backbone.strides]
        widths = [WIDTH if stride > STRIDE else 128 * stride // STRIDE for stride in backbone.strides]
        self.edge = EdgeBranch(backbone.channels, strides)
        self.displacement = DisplacementBranch(backbone.channels, strides, widths) if displacement else None
        self.register_buffer("mean_shift", torch.zeros(2))
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training mode; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (N, 3, H, W) -> boundary logits and displacements.

        Returns:
            logits (N, 1, ⌈H / 4⌉, ⌈W / 4⌉), and (dy, dx) in map pixels to the centre of each pixel's object,
            (N, 2, ⌈H / 4⌉, ⌈W / 4⌉).
        """
        size = (images.shape[-2], images.shape[-1])
        with torch.no_grad():
            outputs = zip(self.backbone(images), self.backbone.strides, strict=True)
            levels = [pooled(level, stride) for level, stride in outputs]
        logits: Tensor = self.edge(levels, size)
        if self.displacement is None:
            return logits, logits.new_zeros(len(logits), 2, *logits.shape[-2:])
        displacement = self.displacement(levels, size)
        return logits, displacement if self.training else displacement - self.mean_shift.view(2, 1, 1)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The five weighted terms of the loss (docs/methods/irnet.md, "Total loss").

        Args:
            images: normalised, (N, 3, H, W).
            labels: integer (N, H, W), 0 background, 255 ignore, any other value a class
                (`weakseg.methods.irnet.labels.ir_label`); sampled at every fourth pixel.
        """
        logits, displacement = self(images)
        sampled = F.interpolate(labels[:, None].float(), logits.shape[-2:], mode="nearest-exact")[:, 0].to(labels.dtype)
        loss = path_loss(torch.sigmoid(logits.float())[:, 0], displacement, sampled, self.radius)
        boundary = {
            "background": loss.background / 4,
            "foreground": loss.foreground / 4,
            "different": loss.different / 2,
        }
        if self.displacement is None:
            return boundary
        return boundary | {
            "displacement_background": loss.displacement_background / 2,
            "displacement_foreground": loss.displacement_foreground / 2,
        }

    def new_parameters(self) -> list[nn.Parameter]:
        """The displacement branch: it learns ten times as fast as the edge branch, and the backbone not at all."""
        return [] if self.displacement is None else list(self.displacement.parameters())

    @torch.no_grad()
    def maps(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Boundary and displacement of a photo of any size; call ``eval()`` before.

        Args:
            photo: uint8 (3, H, W), RGB, on the model's device.

        Returns:
            the boundary (h, w) in [0, 1], its logits averaged with those of the mirrored photo, and the displacement
            (2, h, w), with h = ⌈H / 4⌉ and w = ⌈W / 4⌉.
        """
        height, width = photo.shape[-2:]
        lower, right = canvas_size((height, width), self.canvas, max(self.backbone.strides))
        views = with_flip(scaled_view(photo, 1.0, self.mean, self.std))
        logits, displacement = self(F.pad(views, (0, right - width, 0, lower - height)))
        rows, columns = strided_size((height, width), STRIDE)
        logits = logits[:, 0, :rows, :columns].float()
        boundary = torch.sigmoid(logits[0] / 2 + logits[1].flip(-1) / 2)
        return boundary, displacement[0, :, :rows, :columns].float()

    @torch.no_grad()
    def calibrate(self, photos: Iterable[Tensor]) -> None:
        """Set ``mean_shift`` to the mean displacement of photos, each counting the same (after training).

        Centres lie where displacements sum to zero over an object, so over all photos they have no mean.

        Args:
            photos: uint8 (3, H, W) each, at least one, on the model's device.
        """
        self.eval()
        self.mean_shift.zero_()
        self.mean_shift.copy_(torch.stack([self.maps(photo)[1].mean(dim=(1, 2)) for photo in photos]).mean(dim=0))


def canvas_size(size: tuple[int, int], canvas: Canvas, multiple: int) -> tuple[int, int]:
    """The size (H', W') of the canvas of a photo (H, W): no side is shorter than the photo's, so nothing is cut.

    Args:
        size: of the photo.
        canvas: the shortest that a side may be; "photo" for any.
        multiple: both sides are multiples of it: the coarsest stride of the network.

    Example:
        >>> canvas_size((375, 500), 512, 16), canvas_size((375, 500), "photo", 16), canvas_size((480, 640), 512, 16)
        ((512, 512), (384, 512), (512, 640))
    """
    least = 1 if canvas == "photo" else canvas
    height, width = (-(-max(side, least) // multiple) * multiple for side in size)
    return height, width


def pooled(level: Tensor, stride: int) -> Tensor:
    """Max-pool a level (N, C, h, w) of a stride below 4 to stride 4, 3x3 with stride 2 as a ResNet does."""
    while stride < STRIDE:
        level, stride = F.max_pool2d(level, 3, 2, 1), stride * 2
    return level


def enlarged(maps: Tensor, stride: int, target: int, size: tuple[int, int]) -> Tensor:
    """Enlarge maps (N, C, h, w) from one stride to another, bilinear, and cut them to the images' size there.

    Rows and columns that a network dropped by rounding its sizes down repeat the last one.

    Args:
        maps: of images of ``size``.
        stride: of the maps.
        target: wanted stride, not above ``stride``.
        size: (H, W) of the images.

    Returns:
        (N, C, ⌈H / target⌉, ⌈W / target⌉).
    """
    height, width = strided_size(size, target)
    if stride != target:
        maps = F.interpolate(maps, scale_factor=stride / target, mode="bilinear", align_corners=False)
    missing = (0, max(0, width - maps.shape[-1]), 0, max(0, height - maps.shape[-2]))
    return F.pad(maps, missing, mode="replicate")[..., :height, :width]
