"""Visual words: which of k words every pixel's features are most like (VWE, VWL; Ru et al. 2021, 2022)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.errors import one_of
from weakseg.training.ranks import is_first, sum_over_ranks

Histogram = Literal["sum", "mean"]


def word_similarity(features: Tensor, codebook: Tensor) -> Tensor:
    """Cosine of every pixel's features and every word; features of length 0 are like no word.

    Args:
        features: (N, D, h, w).
        codebook: the k words, (k, D).

    Returns:
        (N, k, h, w) in [-1, 1].
    """
    words = F.normalize(codebook, dim=1)[..., None, None]
    return F.conv2d(F.normalize(features, dim=1), words)


def word_probabilities(features: Tensor, codebook: Tensor) -> Tensor:
    """Probability of every word at every pixel: the softmax over the words of `word_similarity`.

    There is no temperature: of 256 words the likeliest has at most e^2 / 256 or so.

    Returns:
        (N, k, h, w), summing to 1 over the words.
    """
    return word_similarity(features, codebook).softmax(dim=1)


def word_histogram(probabilities: Tensor, kind: Histogram = "sum") -> Tensor:
    """How much of every word there is in an image.

    Args:
        probabilities: (N, k, h, w).
        kind: "sum" over the pixels, as the released code has it, or "mean", as the paper (which makes it independent
            of the size of the image).

    Returns:
        (N, k).

    Raises:
        WeaksegError: no such kind.
    """
    if kind not in get_args(Histogram):
        raise one_of("histogram", kind, get_args(Histogram))
    return probabilities.sum((2, 3)) if kind == "sum" else probabilities.mean((2, 3))


def word_presence(scores: Tensor) -> Tensor:
    """Which words are the likeliest of at least one pixel.

    Args:
        scores: probabilities or similarities, (N, k, h, w).

    Returns:
        zeros and ones of the scores' type, without gradient, (N, k).
    """
    likeliest = scores.argmax(dim=1).flatten(1)
    return torch.zeros_like(scores[:, :, 0, 0]).scatter_(1, likeliest, 1.0)


def decorrelation(codebook: Tensor) -> Tensor:
    """Penalty of words that resemble each other: half of ||M||_F - ||diag M||_2 (VWL-L).

    M holds the products of every two words (k, D), each less the mean of its own D values.
    """
    centred = codebook - codebook.mean(dim=1, keepdim=True)
    products = centred @ centred.T
    penalty: Tensor = (torch.linalg.matrix_norm(products) - torch.linalg.vector_norm(products.diagonal())) / 2
    return penalty


def sampled_words(features: Tensor, count: int) -> Tensor:
    """Features of ``count`` random pixels, as the first codebook of a memory bank; on several devices of the first's.

    Draws from torch's global CPU generator. Where there are fewer pixels than words, pixels are drawn repeatedly.

    Args:
        features: (N, D, h, w).
        count: k.

    Returns:
        (k, D).
    """
    pixels = features.movedim(1, -1).flatten(0, -2)
    total = len(pixels)
    chosen = torch.randperm(total)[:count] if total >= count else torch.randint(total, (count,))
    words = pixels[chosen.to(pixels.device)]
    return sum_over_ranks(words if is_first() else torch.zeros_like(words))


def updated_words(codebook: Tensor, features: Tensor, scores: Tensor, rate: float = 1e-3) -> Tensor:
    """Move every word towards the mean of the pixels, on all devices, that it is likeliest for (VWL-M).

    rate * (sum of those pixels' features) / (their number + 1e-4) + (1 - rate) * word. As in the released code a word
    of no pixel shrinks by ``rate``, which its cosines do not feel: the next pixels that it gets turn it faster. The
    released statement crashes, as it takes the probabilities for the number of the likeliest word; the latter is meant.

    Args:
        codebook: (k, D).
        features: (N, D, h, w).
        scores: of every word at every pixel, (N, k, h, w); only the largest counts.
        rate: share of the new mean, 0 to 1.

    Returns:
        (k, D).
    """
    pixels = features.movedim(1, -1).flatten(0, -2)
    likeliest = scores.argmax(dim=1).flatten()
    sums = sum_over_ranks(torch.zeros_like(codebook).index_add_(0, likeliest, pixels.to(codebook.dtype)))
    counts = sum_over_ranks(torch.bincount(likeliest, minlength=len(codebook))).to(codebook.dtype)
    return rate * sums / (counts[:, None] + 1e-4) + (1 - rate) * codebook
