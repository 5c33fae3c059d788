"""VWE and VWL: visual words for weakly supervised segmentation (docs/methods/vwe.md).

Ru, Du and Wu, Learning Visual Words for Weakly-Supervised Semantic Segmentation, IJCAI 2021; Ru, Du, Zhan and Wu,
Weakly-Supervised Semantic Segmentation with Visual Words Learning and Hybrid Pooling, IJCV 2022.

A classifier of tags looks only at what tells the classes apart. Here it must also tell k visual words apart, and so
look at whole objects; and its pooling lets both the whole and the telling spots count.

* Words (`weakseg.methods.vwe.codebooks`): a pixel's word probabilities are the softmax over the words of the cosine of
  its features and the word. The features predict which words are the likeliest of some pixel (fc_b of the released
  code). The words see the features without gradient: the backbone learns through that prediction, the words by
  themselves.
  - VWE: words learned by back-propagation, through a prediction of the tags by the word histogram (fc_a).
  - VWL-L: likewise, and penalised for resembling each other (``decorrelation`` 1).
  - VWL-M: a memory bank (``codebook`` "memory").
* HSPP (`weakseg.methods.vwe.hspp`), hybrid spatial pyramid pooling instead of global average pooling.

The loss is the sum of the soft margins of the predictions. Published on VOC by mIoU: maps on train without either 48.3,
with words 51.1, with HSPP 50.6, with both 52.9 (val 52.0; ResNet50), 67.7 after IRNet, segmentation 67.2 (val) and 67.3
(test); VWL with ResNet101 maps on train 56.9 (VWL-M) and 57.3 (VWL-L), segmentation by DeepLabV2
69.2 (val) and 69.2 (test), by EMANet 70.8 and 71.1 (VWL-L).

Where paper and released code differ the code is the default and an option has the paper's choice: ``histogram``,
``words_from``, ``fuse``. It is not known which made the published numbers. Here maps smaller than the finest level of
HSPP work too, and the update of the memory bank, which crashes in the released code, is the one that was meant; the
bank starts before the first step instead of after it. The paper does not say how the maps of words and classes, whose
ranges differ, become comparable for ``fuse``: here each word map is brought to the height of its class map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Interval, MinLen
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.methods.base import CamMethod, CamSettings
from weakseg.methods.vwe.codebooks import LearnedWords, MemoryWords
from weakseg.methods.vwe.hspp import hybrid_pool
from weakseg.methods.vwe.words import Histogram, word_presence
from weakseg.ops.maps import min_max_normalise
from weakseg.settings import NonNegative, PositiveInt, settings

Pooling = Literal["hspp", "gap"]
Codebook = Literal["learned", "memory"]
Fuse = Literal["none", "max"]


@settings
class VWESettings(CamSettings):
    """Of `VWE`: VWE, VWL-L and VWL-M; each part can be left out (table 1 of VWE's paper).

    Words are found without dropout; on a ResNet the released VWE and VWL-L have 3 ``frozen_levels``, VWL-M 1; while the
    network warms up there are no words.
    """

    words: bool = True
    """Whether there are words."""
    pooling: Pooling = "hspp"
    """"hspp", or "gap" for global average pooling."""
    codebook: Codebook = "learned"
    """"learned" by back-propagation (VWE, VWL-L) or a "memory" bank (VWL-M)."""
    k: PositiveInt = 256
    """Number of words."""
    levels: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (1, 2, 4)
    """Regions a side that HSPP takes the maxima of."""
    gamma: NonNegative = 2.0
    """HSPP's weight of the global mean beside them."""
    histogram: Histogram = "sum"
    """Of the words over the pixels: "sum" (released code) or "mean" (paper)."""
    decorrelation: NonNegative = 0.0
    """Weight of the penalty of learned words that resemble each other; VWE 0, VWL-L 1."""
    rate: Annotated[float, Interval(ge=0, le=1)] = 1e-3
    """How far a step moves the words of a memory bank."""
    words_from: Pooling = "gap"
    """Pooling of the features that predict the words: "gap" (code) or "hspp" (paper: of what predicts the tags)."""
    fuse: Fuse = "none"
    """"none": the classifier's maps (code); "max": the larger of these and the learned words' maps (paper), brought to
    their height."""

    def __post_init__(self) -> None:
        if (self.fuse == "max" or self.decorrelation) and not (self.words and self.codebook == "learned"):
            raise ValueError("fuse: max and decorrelation are for learned words: set words: true, codebook: learned")


class VWE(CamMethod):
    """Visual words and hybrid spatial pyramid pooling.

    Args:
        backbone: only its coarsest level is used.
        n_classes: C.
        settings: see `VWESettings`.

    Attributes:
        words: the codebook and what belongs to it, or None.
    """

    Settings = VWESettings
    RELEASED: ClassVar[Mapping[str, str]] = {
        "classifier.": "classifier.",
        "fc_a.": "words.head.",
        "fc_b.": "words_of_features.",
        "VWE.centroid": "words.codebook",
    }
    """Beginnings of tensor names in the authors' checkpoints, and here; see `weakseg.methods.released`."""

    def __init__(self, backbone: Backbone, n_classes: int, settings: VWESettings | None = None) -> None:
        own = settings or VWESettings()
        super().__init__(backbone, n_classes, own)
        self.pooling, self.words_from, self.fuse = own.pooling, own.words_from, own.fuse
        self.levels, self.gamma = own.levels, own.gamma
        channels = backbone.channels[-1]
        self.words: LearnedWords | MemoryWords | None = None
        if own.words:
            self.words_of_features = nn.Conv2d(channels, own.k, 1, bias=False)
            self.words = (
                LearnedWords(channels, own.k, n_classes, histogram=own.histogram, decorrelation=own.decorrelation)
                if own.codebook == "learned"
                else MemoryWords(channels, own.k, rate=own.rate)
            )

    def logits(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> one logit per tag (N, C)."""
        return self._tag_logits(self.dropout(self.backbone(images)[-1]))

    def losses(self, images: Tensor, tags: Tensor, *guides: Tensor) -> dict[str, Tensor]:
        """The soft margins of the predictions of the tags and the words; see `CamMethod.losses`.

        "classification"; once warmed up also "features_to_words", and of learned words "words_to_tags" and
        "decorrelation".
        """
        features = self.backbone(images)[-1]
        seen = self.dropout(features)
        terms = {"classification": F.multilabel_soft_margin_loss(self._tag_logits(seen), tags)}
        if self.words is not None and self.warmed_up:
            probabilities, further = self.words(features.detach(), tags)
            logits = self.words_of_features(self._pooled(seen, self.words_from)).flatten(1)
            target = word_presence(probabilities).to(logits.dtype)
            terms |= {"features_to_words": F.multilabel_soft_margin_loss(logits, target), **further}
        return terms

    def scale_maps(self, views: Tensor, tags: Tensor) -> Tensor:
        """Positive evidence, the larger of a view's and its mirror image's; see `CamMethod.scale_maps`."""
        features = self.backbone(views)[-1]
        maps: Tensor = F.relu(self.classifier(features))
        if self.fuse == "max" and isinstance(self.words, LearnedWords):
            maps = torch.maximum(maps, _raised_to(self.words.maps(features), maps))
        return torch.maximum(maps[0], maps[1].flip(-1)) if len(maps) == 2 else maps[0]

    def _tag_logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self._pooled(features, self.pooling))
        return logits.flatten(1)

    def _pooled(self, features: Tensor, pooling: Pooling) -> Tensor:
        if pooling == "gap":
            return F.adaptive_avg_pool2d(features, 1)
        return hybrid_pool(features, self.levels, self.gamma)


def _raised_to(word_maps: Tensor, maps: Tensor) -> Tensor:
    """Word maps, positive part from 0 to the largest value of the classifier's map of the same class and view.

    The paper does not say how it makes the two comparable. The word probabilities are nearly uniform, so a word map is
    a small relief on a plateau: as it is, it would be larger than the classifier's map everywhere or nowhere. Where no
    pixel's words speak for a class, as with words that have hardly been trained, its word map is zero.

    Args:
        word_maps: (N, C, h, w).
        maps: not negative, (N, C, h, w).
    """
    relief: Tensor = min_max_normalise(word_maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
    return relief * maps.amax((2, 3), keepdim=True)
