"""Random walk of class scores along pair affinities (AffinityNet and IRNet).

The authors square a dense n x n transition matrix. Here the matrix is sparse (at most 2 n_offsets + 1 entries per
pixel), so memory and time per step grow linearly with the pixels.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

from weakseg.ops.pairs import pair_offsets, pair_windows


def random_walk(scores: Tensor, stencil: Tensor, *, radius: int, beta: float, log2_steps: int) -> Tensor:
    """Let scores walk 2 ** log2_steps steps along affinities: M* = M T^(2^log2_steps).

    T = A^beta divided by its column sums, A symmetric with unit diagonal. A step replaces every score by the
    affinity-weighted mean of its neighbours: constants stay, results lie within the range of their channel, and the
    sum of scores weighted by the column sums of A^beta is kept.

    The power is a Chebyshev sum (`power_weights`): 90 products for 256 steps. In the norm weighted by the column sums
    it differs from the true power by at most 2e-8 of the scores, less than the rounding of either in float32.

    Args:
        scores: (K, h, w) or (N, K, h, w), finite.
        stencil: affinities (n, h, w) or (N, n, h, w) in [0, 1], 0 where a pair does not exist (`weakseg.ops.pairs`).
        radius: pair radius of the stencil.
        beta: exponent that sharpens the affinities (8 for AffinityNet, 10 for IRNet).
        log2_steps: base-2 logarithm of the number of steps (8 in both papers, whose t is 256).

    Returns:
        float32, shape and device of the scores.

    Raises:
        ValueError: shapes that do not fit, NaN or infinite values, negative log2_steps.
    """
    require_tensors(scores=scores, stencil=stencil)
    if scores.dim() == 3:
        return random_walk(scores[None], stencil[None], radius=radius, beta=beta, log2_steps=log2_steps)[0]
    if scores.dim() != 4 or stencil.dim() != 4 or _grid(scores) != _grid(stencil):
        raise ValueError(f"scores {tuple(scores.shape)} and affinities {tuple(stencil.shape)} are of different maps")
    if log2_steps < 0:
        raise ValueError(f"log2_steps is at least 0, got {log2_steps}")
    require_finite(scores, "scores")
    scores = scores.float()
    if scores.numel() == 0:
        return scores
    transition = transition_matrix(stencil, radius, beta)
    columns = scores.transpose(0, 1).flatten(1).T.contiguous()
    result = (
        power_product(transition, columns, 2**log2_steps)
        .T.unflatten(1, (scores.shape[0], *scores.shape[2:]))
        .transpose(0, 1)
    )
    # A mean never leaves the range of its inputs: this takes back rounding.
    low, high = scores.amin(dim=(2, 3), keepdim=True), scores.amax(dim=(2, 3), keepdim=True)
    return torch.minimum(torch.maximum(result, low), high)


def transition_matrix(stencil: Tensor, radius: int, beta: float) -> Tensor:
    """One step of the walk as a sparse CSR matrix, the transpose of the paper's T: every row sums to 1.

    Args:
        stencil: affinities (N, n, h, w) in [0, 1]; the N maps become diagonal blocks.
        radius: pair radius of the stencil.
        beta: exponent of the affinities.

    Returns:
        float32 CSR (N h w, N h w), pixels in raster order.

    Raises:
        ValueError: NaN or infinite affinities, or a stencil of another radius.
    """
    width = stencil.shape[-1]
    offsets = pair_offsets(radius)
    if stencil.shape[1] != len(offsets):
        raise ValueError(f"a stencil of radius {radius} has {len(offsets)} offsets, got {stencil.shape[1]}")
    require_finite(stencil, "affinities")
    weights = neighbour_weights(stencil.double() ** beta, radius)
    # In double precision: an error of the row sums would be multiplied by the number of steps.
    weights = weights.div_(weights.sum(dim=-1, keepdim=True)).float()
    exists = weights.flatten(0, 2) > 0
    values = weights.flatten(0, 2)[exists]
    # 32-bit indices: the product is bound by memory, and MKL takes no others.
    steps = torch.tensor([dy * width + dx for dy, dx in offsets], dtype=torch.int32, device=stencil.device)
    reach = torch.cat([-steps.flip(0), steps.new_zeros(1), steps])
    pixels = torch.arange(len(exists), dtype=torch.int32, device=stencil.device)
    columns = (pixels[:, None] + reach)[exists]
    starts = F.pad(exists.sum(dim=1).cumsum(dim=0), (1, 0)).int()
    return _csr(starts, columns, values, len(pixels))


def neighbour_weights(stencil: Tensor, radius: int) -> Tensor:
    """All neighbours of every pixel: stencil (N, n, h, w) -> (N, h, w, 2 n + 1), 1 for the pixel itself.

    Neighbours are in raster order: the negated offsets reversed, the pixel, the offsets.
    """
    batch, count, height, width = stencil.shape
    weights = stencil.new_zeros(batch, height, width, 2 * count + 1)
    weights[..., count] = 1
    for k, window in enumerate(pair_windows((height, width), radius)):
        values = stencil[:, k, *window.source]
        weights[:, *window.source, count + 1 + k] = values
        weights[:, *window.target, count - 1 - k] = values
    return weights


def power_product(matrix: Tensor, columns: Tensor, power: int) -> Tensor:
    """Product matrix ** power @ columns, for a matrix with real eigenvalues in [-1, 1].

    Args:
        matrix: sparse (m, m).
        columns: (m, K).
        power: at least 1.
    """
    weights = power_weights(power)
    before, now = columns, matrix @ columns
    result = weights[0] * before + weights[1] * now
    for weight in weights[2:]:
        before, now = now, torch.addmm(before, matrix, now, beta=-1, alpha=2)
        result.add_(now, alpha=weight)
    return result


def power_weights(power: int, dropped: float = 1e-8) -> list[float]:
    """Weights w_k of x ** power = sum_k w_k T_k(x) in Chebyshev polynomials T_k, k = 0, 1, ...

    w_k is the probability that as many steps of one to the left or right end k away from where they began, so it is
    negligible beyond a few sqrt(power): a tail of at most ``dropped`` is left out, the rest scaled to the sum 1.

    Example:
        >>> [round(weight, 3) for weight in power_weights(4)]
        [0.375, 0.0, 0.5, 0.0, 0.125]
        >>> len(power_weights(256)) - 1
        90
    """
    weights: list[float] = []
    while len(weights) < 2 or sum(weights) < 1 - dropped:
        k = len(weights)
        up, down = (power + k) // 2, (power - k) // 2
        ways = math.lgamma(power + 1) - math.lgamma(up + 1) - math.lgamma(down + 1)
        possible = (power - k) % 2 == 0
        weights.append(math.exp(ways - power * math.log(2)) * (2 if k else 1) if possible else 0.0)
    total = sum(weights)
    return [weight / total for weight in weights]


def require_tensors(**values: object) -> None:
    """Raise TypeError, naming the first argument that is no tensor, such as a numpy array."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is {type(value).__name__}, not a tensor; torch.from_numpy makes one of an array")


def require_finite(values: Tensor, name: str) -> None:
    """Raise ValueError, saying how many, if any value is NaN or infinite."""
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise ValueError(f"{bad} of {values.numel()} {name} are NaN or infinite")


def _grid(maps: Tensor) -> tuple[int, ...]:
    return maps.shape[0], *maps.shape[2:]


def _csr(starts: Tensor, columns: Tensor, values: Tensor, size: int) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
        return torch.sparse_csr_tensor(starts, columns, values, (size, size), check_invariants=False)
