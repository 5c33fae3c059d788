"""The two codebooks of visual words: learned by back-propagation (VWE, VWL-L) and a memory bank (VWL-M)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from weakseg.methods.vwe.words import (
    Histogram,
    decorrelation,
    sampled_words,
    updated_words,
    word_histogram,
    word_probabilities,
)


class LearnedWords(nn.Module):
    """Words that learn from how well their histogram predicts the tags.

    Args:
        channels: D.
        k: number of words.
        n_classes: C.
        histogram: "sum" over the pixels (released code) or "mean" (paper).
        decorrelation: weight of the penalty of words that resemble each other; VWE 0, VWL-L 1.

    Attributes:
        codebook: the words, (k, D).
        head: word histogram, or probabilities of a pixel, -> logits of the tags (fc_a of the released code).
    """

    def __init__(self, channels: int, k: int, n_classes: int, *, histogram: Histogram, decorrelation: float) -> None:
        super().__init__()
        self.histogram, self.decorrelation = histogram, decorrelation
        self.codebook = nn.Parameter(torch.empty(k, channels))
        nn.init.kaiming_normal_(self.codebook, a=math.sqrt(5))
        self.head = nn.Conv2d(k, n_classes, 1, bias=False)

    def forward(self, features: Tensor, tags: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Find the words.

        Args:
            features: without gradient, (N, D, h, w).
            tags: float zeros and ones, (N, C).

        Returns:
            probabilities (N, k, h, w), and the loss "words_to_tags", with "decorrelation" where it has a weight.
        """
        probabilities = word_probabilities(features, self.codebook)
        histogram = word_histogram(probabilities, self.histogram)
        logits = self.head(histogram[..., None, None]).flatten(1)
        terms = {"words_to_tags": F.multilabel_soft_margin_loss(logits, tags)}
        if self.decorrelation:
            terms["decorrelation"] = self.decorrelation * decorrelation(self.codebook)
        return probabilities, terms

    def maps(self, features: Tensor) -> Tensor:
        """How much every pixel's words speak for every class: features (N, D, h, w) -> logits (N, C, h, w)."""
        logits: Tensor = self.head(word_probabilities(features, self.codebook))
        return logits


class MemoryWords(nn.Module):
    """Words that follow the means of the pixels that are most like them.

    The first training step takes k random pixels of its batch as words. (The released code does so after its first
    step, whose words are random.) They have no head: there the loss of the histogram is computed, but not used.

    Args:
        channels: D.
        k: number of words.
        rate: how far a step moves a word towards its pixels.

    Attributes:
        codebook: the words, (k, D); zeros before the first step.
        started: whether the first step has been taken.
    """

    codebook: Tensor
    started: Tensor

    def __init__(self, channels: int, k: int, *, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("codebook", torch.zeros(k, channels))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def forward(self, features: Tensor, tags: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Find the words, then, in training mode, move them; arguments and results as in `LearnedWords.forward`."""
        if self.training and not self.started:
            self.codebook.copy_(sampled_words(features, len(self.codebook)))
            self.started.fill_(True)
        probabilities = word_probabilities(features, self.codebook)
        if self.training:
            self.codebook.copy_(updated_words(self.codebook, features, probabilities, self.rate))
        return probabilities, {}
