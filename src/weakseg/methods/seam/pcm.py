"""Maps that a context module has revised: the networks of SEAM (PCM) and CPN (PRCM) on any backbone.

PCM is SEAM's pixel correlation module (`weakseg.methods.seam.seam` names the paper). PRCM, the pixel-region correlation
module of CPN (`weakseg.methods.cpn.cpn`), is PCM plus attention to whole regions.

The level names conv4, conv5 and conv6 of the papers' WideResNet-38 are the last three levels of any backbone here.
Where these differ in size (a ResNet without dilation) the finer ones are resized to the coarsest; WR38's do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, Le
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.errors import WeaksegError
from weakseg.methods.base import CamMethod, CamSettings
from weakseg.methods.seam.consistency import View, lowest_activation, resized, resized_mean
from weakseg.methods.seam.correlation import pixel_correlation, region_attention, region_contexts, strongest_evidence
from weakseg.ops.maps import EPSILON, min_max_normalise, strided_size
from weakseg.settings import PositiveInt, settings

Context = Literal["none", "pcm", "prcm", "prcm_paper"]
"""How maps are revised: not at all, over similar pixels (PCM), or over similar pixels and regions (PRCM).

PRCM's released code compares pixels by the embedding that PCM has too, and reads its keys, which lie in memory as
channels x regions, as regions x channels, so that each region is compared by numbers of several. "prcm" does the same;
"prcm_paper" gives every region its own key and pixels an embedding of their own for them, as the paper writes it. The
sum of absolute values by which the paper divides features, where the code has their length, is not offered.
"""


class ContextModule(nn.Module):
    """PCM, and with ``regions`` PRCM.

    Neither the maps nor the levels get a gradient from the revised maps: only the module's own convolutions do.

    Args:
        channels: of the two levels before the coarsest.
        regions: add the attention to regions. Its sum over all pixels is 1, so it adds about 1 / hw at each.
        as_released: keys of the regions and queries of the pixels as in the released code; see `Context`.
        unit_features: see `ContextSettings`.
        widths: channels of the two levels after their convolution.
        embedding: channels in which pixels are compared.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        regions: bool = False,
        as_released: bool = True,
        unit_features: bool = False,
        widths: tuple[int, int] = (64, 128),
        embedding: int = 192,
    ) -> None:
        super().__init__()
        layers = [nn.Conv2d(count, width, 1, bias=False) for count, width in zip(channels, widths, strict=True)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight)
        self.reduce = nn.ModuleList(layers)
        self.pixels = _comparison(sum(widths) + 3, embedding)
        self.regions = _comparison(sum(widths) + 3, embedding) if regions else None
        self.queries = _comparison(sum(widths) + 3, embedding) if regions and not as_released else None
        self.unit_features = unit_features

    def forward(self, maps: Tensor, levels: Sequence[Tensor], images: Tensor) -> Tensor:
        """Revise maps.

        Args:
            maps: raw, background first, (N, C + 1, h, w).
            levels: the two levels before the coarsest, (N, channels[i], h_i, w_i).
            images: normalised, (N, 3, H, W).

        Returns:
            Not negative, (N, C + 1, h, w).
        """
        evidence, features = strongest_evidence(maps), self.features(levels, images, maps.shape[2:])
        if self.unit_features:
            features = F.normalize(features, eps=EPSILON)
        pixels = self.pixels(features)
        revised = pixel_correlation(evidence, pixels)
        if self.regions is None:
            return revised
        contexts = region_contexts(evidence, features)
        keys = F.relu(self.regions(contexts[..., None]))[..., 0]
        count, width, regions = keys.shape
        if self.queries is None:
            keys, queries = keys.reshape(count, regions, width), pixels
        else:
            keys, queries = keys.transpose(1, 2), self.queries(features)
        return revised + region_attention(keys, F.relu(queries)) * evidence

    def features(self, levels: Sequence[Tensor], images: Tensor, size: Sequence[int]) -> Tensor:
        """Image and reduced levels at one size: (N, 3 + sum(widths), h, w)."""
        parts = [resized(images, size)]
        for level, reduce in zip(levels, self.reduce, strict=True):
            parts.append(F.relu(reduce(resized(level.detach(), size))))
        return torch.cat(parts, dim=1)


def _comparison(channels: int, embedding: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, embedding, 1, bias=False)
    nn.init.xavier_uniform_(layer.weight, gain=4)
    return layer


@settings
class ContextSettings(CamSettings):
    """What SEAM and CPN have in common; while it warms up the network is a plain classifier of whole images."""

    context: Context = "pcm"
    """How maps are revised: "none", "pcm", "prcm" or "prcm_paper". With "none" the maps stay as the classifier gives
    them, and no loss has a term on revised ones."""
    unit_features: bool = False
    """Bring the features that a context compares to unit length. The released code does not: on a backbone of large
    activations PRCM's softmax then gives each region a single pixel, and the maps, divided by their maximum, lose the
    rest. PCM compares directions and stays as it is."""
    hard_share: Annotated[float, Gt(0), Le(1)] = 0.2
    """Share of the largest differences that a loss between maps and revised maps counts (ECR, CPCR); 1 counts all of
    them (no mining of hard examples)."""
    minimum: bool = True
    """Use the term that the papers do not name: the lowest activation of the revised maps."""
    loss_stride: PositiveInt = 1
    """Maps are compared at one pixel per so many of the image. 1, as released, enlarges all maps to the images' size; 8
    leaves those of a backbone of stride 8 about as they are and costs a small part of it."""


class ContextCam(CamMethod):
    """A linear classifier of the classes and the background whose maps a context module revises.

    Args:
        backbone: its last three levels are used, only the last without a context.
        n_classes: C; the classifier has C + 1 outputs, the first for the background, which no tag trains.
        settings: see `ContextSettings`.

    Raises:
        WeaksegError: a backbone of fewer than three levels with a context.
    """

    RELEASED: ClassVar[Mapping[str, str]] = {
        "fc8.": "classifier.",
        "f8_3.": "context.reduce.0.",
        "f8_4.": "context.reduce.1.",
        "f9.": "context.pixels.",
        "f10.": "context.regions.",
    }
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(self, backbone: Backbone, n_classes: int, settings: ContextSettings) -> None:
        super().__init__(backbone, n_classes + 1, settings)
        context = settings.context
        if context != "none" and len(backbone.channels) < 3:
            raise WeaksegError(
                f"context {context!r} needs a backbone of three levels, this one has {len(backbone.channels)}; "
                "take another (resnet50) or context=none"
            )
        self.loss_stride, self.hard_share, self.minimum = settings.loss_stride, settings.hard_share, settings.minimum
        self.context = None
        if context != "none":
            self.context = ContextModule(
                backbone.channels[-3:-1],
                regions=context.startswith("prcm"),
                as_released=context == "prcm",
                unit_features=settings.unit_features,
            )

    def view(self, images: Tensor) -> View:
        """Raw and revised maps of normalised images (N, 3, H, W), to be compared at ``loss_stride``."""
        levels = self.backbone(images)
        # Full precision: in half, classes tie where one is the strongest, and normalised maps lose their differences.
        maps: Tensor = self.classifier(self.dropout(levels[-1])).float()
        revised = None if self.context is None else self.context(maps, levels[-3:-1], images)
        return View(maps, None if revised is None else revised.float(), self._loss_size(images))

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C): the mean of the map at the losses' size."""
        maps: Tensor = self.classifier(self.dropout(self.backbone(images)[-1]))
        return resized_mean(maps[:, 1:].float(), self._loss_size(images))

    def plain_losses(self, images: Tensor, tags: Tensor) -> dict[str, Tensor]:
        """The classification of whole images alone, for the warm-up."""
        return {"classification": F.multilabel_soft_margin_loss(self.logits(images), tags)}

    def common_terms(self, views: Sequence[View], picked: Sequence[Tensor], tags: Tensor) -> dict[str, Tensor]:
        """The terms that each view has by itself, averaged: "classification" and "minimum".

        Args:
            views: of the same N photos.
            picked: revised maps of the tagged classes (`TaggedChannels.picked`), one per view; none without a context.
            tags: (N, C).
        """
        means = [resized_mean(view.maps[:, 1:], view.size) for view in views]
        terms = {"classification": torch.stack([F.multilabel_soft_margin_loss(mean, tags) for mean in means]).mean()}
        if self.minimum and picked:
            terms["minimum"] = torch.stack([lowest_activation(maps) for maps in picked]).mean()
        return terms

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Revised evidence, not negative without being cut, that of the mirrored view flipped back and added.

        Enlarged to the view, corners on corners, as released; without a context the raw maps. See
        `CamMethod.scale_maps`.
        """
        maps, revised, _ = self.view(views)
        found = (maps if revised is None else revised)[:, 1:]
        merged = found[0] + found[1].flip(-1) if len(found) == 2 else found[0]
        return resized(merged[None], views.shape[2:])[0]

    def merge(self, maps: Tensor) -> Tensor:
        """Evidence summed over scales (K, H, W) -> maps in [0, 1): cut at 0, then from minimum to maximum."""
        return min_max_normalise(maps)

    def _loss_size(self, images: Tensor) -> tuple[int, int]:
        return strided_size((images.shape[2], images.shape[3]), self.loss_stride)
