"""What the pipeline asks of a segmentation network, and what all networks on a backbone share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from weakseg.backbones.backbone import Backbone, BackboneSettings
from weakseg.errors import WeaksegError
from weakseg.training.ranks import photo_share, sum_over_ranks

Normalisation = tuple[float, float, float]


class SegmentationNetwork(nn.Module, ABC):
    """Photos to one logit per label and pixel.

    Attributes:
        Settings: the class of its settings, a `weakseg.settings.settings`; a recipe has them under ``segment.NAME``.
        batch_statistics: whether it normalises over the batch in training and so needs 2 photos a step.
        mean: and ``std``: the normalisation of RGB in [0, 1] that it expects.
        balance: how much rare labels count in the loss: each pixel is weighted by the frequency of its label in the
            batch to the power of minus this. A class with a `losses` of its own heeds it by `cross_entropy`.
        adjustment: what the loss adds to the logits, (n_labels,), so that the output lacks it; None for nothing.
    """

    Settings: ClassVar[type[Any]]
    batch_statistics: ClassVar[bool] = True
    mean: Normalisation
    std: Normalisation
    balance: float = 0.0
    adjustment: Tensor | None = None

    @classmethod
    @abstractmethod
    def build(cls, backbone: BackboneSettings, n_labels: int, settings: Any) -> Self:
        """Make it, with the weights of its backbone.

        Args:
            backbone: the network below, for those that want one.
            n_labels: number of classes with background.
            settings: of ``Settings``.

        Raises:
            WeaksegError: settings and backbone do not fit each other.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) of any size -> logits (N, n_labels, H, W)."""

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Training losses by name, scalars to be summed.

        Args:
            images: normalised, (N, 3, H, W).
            labels: int64 (N, H, W), 0..n_labels - 1 or 255.
        """
        return {"cross_entropy": self.cross_entropy(self(images), labels)}

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cross entropy of the pixels that are not 255, on all devices, balanced; 0 where all are 255.

        Args:
            logits: (N, n_labels, h, w).
            labels: int64 (N, h, w).
        """
        share = photo_share(len(labels))
        if self.adjustment is not None:
            logits = logits + self.adjustment.to(logits)[:, None, None]
        if not self.balance:
            total = F.cross_entropy(logits, labels, ignore_index=255, reduction="sum")
            return total / (sum_over_ranks((labels != 255).sum()).clamp(min=1) * share)
        counts = sum_over_ranks(torch.bincount(labels[labels != 255], minlength=logits.shape[1])).float()
        weights = counts.clamp(min=1).pow(-self.balance)
        total = F.cross_entropy(logits.float(), labels, weights, ignore_index=255, reduction="sum")
        return total / ((weights * counts).sum().clamp(min=1e-6) * share)

    def unbalance(self, counts: Tensor, share: float) -> None:
        """Let the output lack a share of what `balance` lets rare labels gain.

        Weighted by frequency to the power of -b, the best logits are log p(label | pixel) - b log frequency (Menon et
        al., ICLR 2021): the loss gets a part of the second term from here, and the output is left with the rest.

        Args:
            counts: pixels of each label in the training masks, (n_labels,).
            share: of the gain, 0..1.
        """
        frequencies = counts.float().clamp(min=1) / counts.sum().clamp(min=1)
        self.adjustment = -self.balance * share * frequencies.log()

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that do not come from a backbone."""
        backbone: Any = getattr(self, "backbone", None)
        known = set() if backbone is None else set(backbone.parameters())
        return [parameter for parameter in self.parameters() if parameter not in known]

    def freeze_levels(self, count: int) -> None:
        """Stop training the ``count`` finest levels of the backbone. Raises WeaksegError if there are not so many."""
        backbone: Any = getattr(self, "backbone", None)
        if not isinstance(backbone, Backbone):
            raise WeaksegError(f"frozen_levels must be 0: {type(self).__name__} has no backbone with levels")
        backbone.freeze_levels(count)

    def check_batch(self, images: Tensor) -> None:
        """Raise WeaksegError for one single image in training, of which no batch statistics can be taken."""
        if self.training and len(images) == 1 and any(layer.training for layer in batch_norms(self)):
            raise WeaksegError("a segmentation network cannot train on a batch of 1 image; use a batch of 2 or more")


class BackboneNetwork(SegmentationNetwork):
    """A `SegmentationNetwork` on a backbone: coarse logits, enlarged to the images.

    Args:
        backbone: the network below.
        n_labels: number of classes with background.
        settings: of ``Settings``.

    Attributes:
        align_corners: of the enlargement.
    """

    align_corners: ClassVar[bool] = False

    def __init__(self, backbone: Backbone, n_labels: int, settings: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.mean, self.std = backbone.mean, backbone.std
        if any(isinstance(layer, Conv2dSame) for layer in backbone.modules()):
            # TensorFlow's "same" padding shifts features by what a side lacks to whole cells.
            backbone.cell = math.lcm(backbone.cell, backbone.strides[-1])

    @classmethod
    def build(cls, backbone: BackboneSettings, n_labels: int, settings: Any) -> Self:
        """See `SegmentationNetwork.build`."""
        return cls(backbone.build(), n_labels, settings)

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> logits (N, n_labels, h, w) at the network's own stride."""

    def forward(self, images: Tensor) -> Tensor:
        """See `SegmentationNetwork.forward`. Raises WeaksegError as `SegmentationNetwork.check_batch`."""
        self.check_batch(images)
        size = images.shape[-2:]
        return F.interpolate(self.logits(images), size, mode="bilinear", align_corners=self.align_corners)


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch normalisations of a network."""
    return [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
