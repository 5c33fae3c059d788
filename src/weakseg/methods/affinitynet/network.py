"""AffinityNet: features whose distance tells whether two pixels belong together (Ahn and Kwak 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.errors import WeaksegError
from weakseg.methods.affinitynet.affinity import Reduction, affinity_loss, feature_affinity, pair_labels
from weakseg.ops.maps import strided_size


class AffinityHead(nn.Module):
    """Levels of a backbone -> one feature map: per level 1x1 convolution and ELU, resized, joined, 1x1 and ELU.

    Args:
        channels: channels of every level, finest first.
        widths: channels of every level after its convolution; by default 256 for the last level, half as many for
            each level before it (64, 128, 256 for three levels, as published).
        group_norm: normalise between convolution and ELU, as published for VGG16; 32 groups at the last level, half
            as many for each level before it.
    """

    def __init__(
        self, channels: Sequence[int], *, widths: Sequence[int] | None = None, group_norm: bool = False
    ) -> None:
        super().__init__()
        halvings = range(len(channels) - 1, -1, -1)
        widths = [256 >> n for n in halvings] if widths is None else widths
        layers = [nn.Conv2d(c, w, 1, bias=False) for c, w in zip(channels, widths, strict=True)]
        self.reduce = nn.ModuleList(layers)
        self.norms = nn.ModuleList(
            nn.GroupNorm(max(1, 32 >> n), w) if group_norm else nn.Identity()
            for n, w in zip(halvings, widths, strict=True)
        )
        self.join = nn.Conv2d(sum(widths), sum(widths), 1, bias=False)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.xavier_uniform_(self.join.weight, gain=4)

    def forward(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Feature map (N, sum(widths), h, w) of size (h, w) from the levels (N, C_l, h_l, w_l), finest first."""
        parts = []
        for level, reduce, norm in zip(levels, self.reduce, self.norms, strict=True):
            part = F.elu(norm(reduce(level)))
            if part.shape[-2:] != size:
                part = F.interpolate(part, size, mode="bilinear", align_corners=False)
            parts.append(part)
        return F.elu(self.join(torch.cat(parts, dim=1)))


class AffinityNet(nn.Module):
    """A backbone and an `AffinityHead` on some of its levels.

    Args:
        backbone: gives a list of levels, finest first.
        levels: which of them, as indices; by default the last three, or all of fewer.
        stride: the feature map has ⌈H / stride⌉ x ⌈W / stride⌉ pixels, whatever the levels' own strides.
        widths: as in `AffinityHead`.
        group_norm: as in `AffinityHead`.
        radius: of the pairs that it is trained on.
        reduction: of the distance of two features, see `weakseg.methods.affinitynet.affinity.feature_affinity`.
        frozen_levels: how many of the backbone's finest levels are not trained.

    Attributes:
        mean: and ``std``: the normalisation of RGB in [0, 1] that it expects.

    Raises:
        WeaksegError: a level that the backbone does not have, or not one width per level.
    """

    RELEASED: ClassVar[Mapping[str, str]] = {
        **{f"f8_{number + 3}.": f"head.reduce.{number}." for number in range(3)},
        **{f"gn8_{number + 3}.": f"head.norms.{number}." for number in range(3)},
        "f9.": "head.join.",
    }
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(
        self,
        backbone: Backbone,
        *,
        levels: Sequence[int] | None = None,
        stride: int = 8,
        widths: Sequence[int] | None = None,
        group_norm: bool = False,
        radius: int = 5,
        reduction: Reduction = "mean",
        frozen_levels: int = 0,
    ) -> None:
        super().__init__()
        count = len(backbone.channels)
        chosen = range(max(0, count - 3), count) if levels is None else levels
        if not chosen or any(not -count <= level < count for level in chosen):
            raise WeaksegError(f"affinity levels {list(chosen)}: the backbone has levels 0 to {count - 1}")
        if widths is not None and len(widths) != len(chosen):
            raise WeaksegError(f"affinity widths {list(widths)}: give {len(chosen)}, one per level")
        self.backbone = backbone
        backbone.freeze_levels(frozen_levels)
        self.mean, self.std = backbone.mean, backbone.std
        self.radius = radius
        self.reduction: Reduction = reduction
        self.levels = tuple(chosen)
        self.stride = stride
        self.head = AffinityHead(
            [backbone.channels[level] for level in self.levels], widths=widths, group_norm=group_norm
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, C, ⌈H / stride⌉, ⌈W / stride⌉) of normalised images (N, 3, H, W)."""
        outputs = self.backbone(images)
        size = strided_size((images.shape[-2], images.shape[-1]), self.stride)
        features: Tensor = self.head([outputs[level] for level in self.levels], size)
        return features

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The three weighted terms of the affinity loss (docs/methods/affinitynet.md, "Affinity loss").

        Args:
            images: normalised, (N, 3, H, W).
            labels: affinity labels (N, ⌈H / stride⌉, ⌈W / stride⌉), see
                `weakseg.methods.affinitynet.labels.affinity_seeds`.
        """
        affinity = feature_affinity(self(images), self.radius, border="crop", reduction=self.reduction)
        loss = affinity_loss(affinity, pair_labels(labels, self.radius, border="crop"))
        return {
            "background": loss.background / 4,
            "foreground": loss.foreground / 4,
            "different": loss.different / 2,
        }

    def new_parameters(self) -> list[nn.Parameter]:
        """The convolutions of the head: they learn at ten times the backbone's rate, its normalisation does not."""
        normalisation = set(self.head.norms.parameters())
        return [parameter for parameter in self.head.parameters() if parameter not in normalisation]
