"""VWE and VWL: visual words for weakly supervised segmentation (SPEC 6).

Ru, Du and Wu, Learning Visual Words for Weakly-Supervised Semantic Segmentation, IJCAI 2021; Ru, Du, Zhan and Wu,
Weakly-Supervised Semantic Segmentation with Visual Words Learning and Hybrid Pooling, IJCV 2022.

A classifier of tags looks only at what tells the classes apart. Here it must also tell k visual words apart, and so
look at whole objects; and its pooling lets both the whole and the telling spots count.

* Words (`weakseg.methods.vwe.codebooks`): a pixel's word probabilities are the softmax over the words of the cosine of
  its features and the word. The features predict which words are the likeliest of some pixel (fc_b of the released code).
  The words see the features without gradient: the backbone learns through that prediction, the words by themselves.
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

from collections.abc import Sequence
from typing import Any, Literal, Unpack, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.backbones.backbone import Backbone
from weakseg.errors import one_of
from weakseg.methods.base import CamMethod, CamOptions
from weakseg.methods.vwe.codebooks import LearnedWords, MemoryWords
from weakseg.methods.vwe.hspp import hybrid_pool
from weakseg.methods.vwe.words import Histogram, word_presence
from weakseg.ops.maps import min_max_normalise

Pooling = Literal["hspp", "gap"]
Codebook = Literal["learned", "memory"]
Fuse = Literal["none", "max"]


class VWE(CamMethod):
    """Visual words and hybrid spatial pyramid pooling, each of which can be left out (the paper's table 1).

    Args:
        backbone: only its coarsest level is used.
        n_classes: C.
        words: whether there are words.
        pooling: "hspp", or "gap" for global average pooling.
        codebook: "learned" (VWE, VWL-L) or "memory" (VWL-M).
        k: number of words.
        levels: of HSPP: into how many regions a side it divides the map.
        gamma: of HSPP: weight of the global mean.
        histogram: of learned words: "sum" over the pixels (code) or "mean" (paper).
        decorrelation: of learned words: weight of the penalty of their resemblance; VWE 0, VWL-L 1.
        rate: of memorised words: how far a step moves them.
        words_from: pooling of the features that predict the words: "gap" (code), or "hspp" (the paper's "output
            feature", read as what predicts the tags).
        fuse: "none": the classifier's maps (code); "max": the larger of these and the learned words' maps (paper),
            brought to their height.
        common: see `CamMethod`. Words are found without dropout; on a ResNet the released VWE and VWL-L have 3
            ``frozen_levels``, VWL-M 1; while it warms up there are no words.

    Attributes:
        words: the codebook and what belongs to it, or None.

    Raises:
        WeaksegError: a name that is not one of the above.
        ValueError: a number out of range, or options that do not fit each other.
    """

    def __init__(
        self,
        backbone: Backbone,
        n_classes: int,
        *,
        words: bool = True,
        pooling: Pooling = "hspp",
        codebook: Codebook = "learned",
        k: int = 256,
        levels: Sequence[int] = (1, 2, 4),
        gamma: float = 2.0,
        histogram: Histogram = "sum",
        decorrelation: float = 0.0,
        rate: float = 1e-3,
        words_from: Pooling = "gap",
        fuse: Fuse = "none",
        **common: Unpack[CamOptions],
    ) -> None:
        super().__init__(backbone, n_classes, **common)
        _check_name("pooling", pooling, Pooling)
        _check_name("codebook", codebook, Codebook)
        _check_name("histogram", histogram, Histogram)
        _check_name("words_from", words_from, Pooling)
        _check_name("fuse", fuse, Fuse)
        if k < 1:
            raise ValueError(f"k is the number of words, 1 or more, not {k}; words: false leaves them out")
        if (fuse == "max" or decorrelation) and not (words and codebook == "learned"):
            raise ValueError("fuse: max and decorrelation are for learned words: set words: true, codebook: learned")
        hybrid_pool(torch.zeros(1, 1, 1, 1), levels, gamma)  # refuses values out of range here, not in the first step
        self.pooling, self.words_from, self.fuse = pooling, words_from, fuse
        self.levels, self.gamma = tuple(levels), gamma
        channels = backbone.channels[-1]
        self.words: LearnedWords | MemoryWords | None = None
        if words:
            self.words_of_features = nn.Conv2d(channels, k, 1, bias=False)
            self.words = (
                LearnedWords(channels, k, n_classes, histogram=histogram, decorrelation=decorrelation)
                if codebook == "learned"
                else MemoryWords(channels, k, rate=rate)
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


def _check_name(option: str, name: str, available: Any) -> None:
    if name not in get_args(available):
        raise one_of(option, name, get_args(available))
