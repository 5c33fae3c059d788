"""Dense CRF: sharpens class maps along the colours of the image.

Mean field of Krähenbühl and Koltun (2011) with Potts compatibility and two kernels, one of position and one of position
and colour, both normalised symmetrically: K̃ = D^-½ K D^-½. `PRESETS` holds the parameters of the published systems.

Example:
    >>> import numpy as np, torch
    >>> image = np.zeros((2, 3, 3), np.uint8)
    >>> scores = torch.tensor([[[0.9, 0.9, 0.2], [0.9, 0.9, 0.9]], [[0.1, 0.1, 0.8], [0.1, 0.1, 0.1]]])
    >>> dense_crf(image, unary_from_scores(scores), PRESETS["psa"]).argmax(0)  # one outlier in one colour
    tensor([[0, 0, 0],
            [0, 0, 0]])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weakseg.ops.densecrf._lanes import Floats
from weakseg.ops.densecrf.allpairs import bilateral_messages, gaussian_messages
from weakseg.ops.densecrf.meanfield import lattice_messages, mean_field
from weakseg.ops.densecrf.meanfield_cpu import lattice_mean_field
from weakseg.ops.densecrf.permutohedral import Lattice, build_lattice, normalize, shares_of
from weakseg.ops.densecrf.workers import Workers
from weakseg.ops.random_walk import require_finite, require_tensors

Method = Literal["lattice", "exact"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class CrfParams:
    """Parameters of a dense CRF.

    Attributes:
        iterations: mean-field updates, ≥ 0.
        gaussian_sxy: width of the position kernel, pixels.
        gaussian_weight: its weight, ≥ 0; 0 leaves it out.
        bilateral_sxy: width in position of the colour kernel, pixels.
        bilateral_srgb: its width in colour, grey levels of 0..255.
        bilateral_weight: its weight, ≥ 0; 0 leaves it out.

    Raises:
        ValueError: a number is out of its range.
    """

    iterations: int = 10
    gaussian_sxy: float = 3
    gaussian_weight: float = 3
    bilateral_sxy: float = 80
    bilateral_srgb: float = 13
    bilateral_weight: float = 10

    def __post_init__(self) -> None:
        for key in ("iterations", "gaussian_weight", "bilateral_weight"):
            if not 0 <= getattr(self, key) < math.inf:
                raise ValueError(f"{key} of the dense CRF is {getattr(self, key)}; it must be 0 or more")
        for key in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not 0 < getattr(self, key) < math.inf:
                raise ValueError(f"{key} of the dense CRF is {getattr(self, key)}; it must be more than 0")

    def scaled(self, factor: float) -> CrfParams:
        """Fit the widths in pixels to an image `factor` times smaller than the one they were made for (PSA's s)."""
        return replace(self, gaussian_sxy=self.gaussian_sxy / factor, bilateral_sxy=self.bilateral_sxy / factor)


PRESETS: Mapping[str, CrfParams] = MappingProxyType(
    {
        "psa": CrfParams(),
        "seam-rw": CrfParams(iterations=1),
        "cpn": CrfParams(iterations=5, bilateral_sxy=50),
        "irn": CrfParams(bilateral_sxy=50, bilateral_srgb=5),
        "vwl": CrfParams(gaussian_sxy=1, bilateral_sxy=64, bilateral_srgb=3, bilateral_weight=4),
        "afa": CrfParams(bilateral_sxy=64, bilateral_srgb=5, bilateral_weight=4),
        "deeplabv2": CrfParams(gaussian_sxy=1, bilateral_sxy=67, bilateral_srgb=3, bilateral_weight=4),
        "deeplabv1": CrfParams(iterations=1, bilateral_sxy=32),
        "one-stage": CrfParams(),
    }
)
"""Published parameters by name (docs/methods/densecrf.md).

| name | used by (code) | on |
|---|---|---|
| psa | psa and SEAM, affinity seeds at α low and α high | raw CAM scores with background (1 − max)^α |
| seam-rw | SEAM, optional step after the random walk | random walk scores |
| cpn | CPN's `crf_inference`, which its scripts do not call | probabilities |
| irn | irn, SIPE and AE-SIPE, CAM to IR label | labels, certainty 0.7 |
| vwl | vwe v2 | probabilities |
| afa | the same author's later advice | probabilities |
| deeplabv2 | deeplab-pytorch (kazuto1011), final masks | probabilities |
| deeplabv1 | semantic-segmentation-codebase (YudeWang), final masks | probabilities |
| one-stage | 1-stage-wseg, final masks | mean masks, background cubed |
"""


def unary_from_scores(scores: Tensor) -> Tensor:
    """Turn probabilities or raw scores into energies −log clip(s, 1e-5, 1).

    Scores need not sum to one over the labels: PSA and SEAM feed normalised CAMs with a background as they are.
    Logits must go through a softmax first.

    Args:
        scores: (..., K, H, W) in [0, 1].

    Raises:
        ValueError: NaN or infinite scores.
    """
    require_tensors(scores=scores)
    require_finite(scores, "scores")
    return -scores.float().clamp(1e-5, 1).log()


def unary_from_labels(labels: Tensor, n_labels: int, certainty: float = 0.7) -> Tensor:
    """Turn a label map into energies: −log g for the label, −log((1 − g) / (K − 1)) for every other one.

    Args:
        labels: (..., H, W) integers 0..K−1.
        n_labels: K ≥ 1. A single label is certain: its energy is 0.
        certainty: g in (0, 1), the probability that a label is right (IRNet 0.7).

    Returns:
        energies (..., K, H, W) float32.

    Raises:
        ValueError: a label is out of 0..K−1 or the certainty out of (0, 1).
    """
    require_tensors(labels=labels)
    if not 0 < certainty < 1:
        raise ValueError(f"certainty is {certainty}; it must lie between 0 and 1")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < n_labels:
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}; they must lie in 0..{n_labels - 1}"
        )
    right = labels.unsqueeze(-3) == torch.arange(n_labels, device=labels.device)[:, None, None]
    if n_labels == 1:
        return torch.zeros_like(right, dtype=torch.float32)
    other = -math.log((1 - certainty) / (n_labels - 1))
    return torch.where(right, -math.log(certainty), other).float()


@torch.no_grad()
def dense_crf(
    image: NDArray[np.uint8] | Tensor, unary: Tensor, params: CrfParams, *, method: Method = "lattice"
) -> Tensor:
    """Infer label posteriors of one image, or of a batch of images of one size.

    Args:
        image: RGB uint8 (H, W, 3) or (N, H, W, 3).
        unary: energies (K, H, W) or (N, K, H, W), finite; see `unary_from_scores`, `unary_from_labels`.
        params: the parameters, for instance ``PRESETS["psa"]``.
        method: "lattice", as in the authors' program: time and memory linear in the number of pixels, compiled loops
            on the CPU with `torch.get_num_threads()` threads (any number gives the same bytes), torch elsewhere (the
            lattice is always built on the CPU).
            "exact": all pairs of pixels, quadratic time; on the golden vectors 99.1 to 100 % of the labels agree.

    Returns:
        posteriors float32 of unary's shape, on unary's device; they sum to one over the labels.

    Raises:
        ValueError: shapes do not fit, the image is not uint8, the unary holds NaN or infinity, or no such method.
    """
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}; available: {', '.join(get_args(Method))}")
    require_tensors(unary=unary)
    images, energies = _checked(image, unary)
    if not (params.gaussian_weight or params.bilateral_weight):
        posterior = torch.softmax(-energies, 1)
    elif method == "exact":
        posterior = _exact(images, energies, params)
    elif energies.device.type == "cpu":
        posterior = _compiled(images, energies, params)
    else:
        pictures = images.cpu().numpy()
        pixels = energies[0, 0].numel()
        kernels = _abreast(len(images), pixels, lambda i, workers: _kernels(pictures[i], params, workers))
        posterior = mean_field(energies, lattice_messages(kernels, energies.device), params.iterations)
    return posterior.reshape(unary.shape)


def _checked(image: NDArray[np.uint8] | Tensor, unary: Tensor) -> tuple[Tensor, Tensor]:
    """Check the inputs and give both a batch dimension: (N, H, W, 3) and float32 (N, K, H, W)."""
    images = image if isinstance(image, Tensor) else torch.from_numpy(np.array(image))
    if images.dtype != torch.uint8:
        raise ValueError(f"the image is {images.dtype}; the colours must be uint8, 0..255")
    if images.ndim == 3 and unary.ndim == 3:
        images, unary = images[None], unary[None]
    wanted = (unary.shape[0], *unary.shape[2:], 3)
    if unary.ndim != 4 or images.shape != wanted or unary.numel() == 0:
        shapes = f"image {tuple(image.shape)} and unary {tuple(unary.shape)}"
        raise ValueError(f"{shapes} must be (H, W, 3) and (K, H, W), or batches of them")
    energies = unary.detach().float()
    # On the CPU by numpy: torch's threads would wait for each other longer than this takes.
    finite = np.isfinite(energies.numpy()) if energies.device.type == "cpu" else torch.isfinite(energies)
    if not finite.all():
        raise ValueError("the unary holds NaN or infinity; unary_from_scores clips scores before it takes logarithms")
    return images, energies


def _exact(images: Tensor, energies: Tensor, params: CrfParams) -> Tensor:
    """Mean field over all pairs of pixels."""
    height, width = energies.shape[2:]
    gaussian = gaussian_messages(height, width, params.gaussian_sxy, energies.device)
    bilateral = bilateral_messages(images.to(energies.device), params.bilateral_sxy, params.bilateral_srgb)

    def messages(posterior: Tensor) -> Tensor:
        return params.gaussian_weight * gaussian(posterior) + params.bilateral_weight * bilateral(posterior)

    return mean_field(energies, messages, params.iterations)


def _compiled(images: Tensor, energies: Tensor, params: CrfParams) -> Tensor:
    """Mean field in compiled loops on the CPU."""
    pictures, unaries = images.cpu().numpy(), energies.contiguous().flatten(2).numpy()
    posteriors = np.empty_like(unaries)

    def infer(i: int, workers: Workers) -> None:
        kernels = _kernels(pictures[i], params, workers)
        lattice_mean_field(unaries[i], kernels, params.iterations, workers, posteriors[i])

    _abreast(len(images), unaries.shape[2], infer)
    return torch.from_numpy(posteriors)


def _abreast(count: int, pixels: int, work: Callable[[int, Workers], Result]) -> list[Result]:
    """Work on images 0..count−1: as many threads on one image as have a share in it, the others on further images."""
    threads, shares = torch.get_num_threads(), shares_of(pixels)
    abreast = min(count, -(-threads // shares))

    def one(i: int) -> Result:
        with Workers(min(threads // abreast, shares)) as workers:
            return work(i, workers)

    if abreast == 1:  # memory comes faster to the caller's own thread
        return [one(i) for i in range(count)]
    with ThreadPoolExecutor(abreast) as pool:
        return list(pool.map(one, range(count)))


def _kernels(image: NDArray[np.uint8], params: CrfParams, workers: Workers) -> list[tuple[Lattice, float]]:
    """The kernels of one image (H, W, 3): normalised lattices, and their weights."""
    height, width = image.shape[:2]
    kernels = []
    if params.gaussian_weight:
        kernels.append((_position_lattice(height, width, params.gaussian_sxy), params.gaussian_weight))
    if params.bilateral_weight:
        features = _positions(height, width, params.bilateral_sxy, 5)
        for channel in range(3):
            np.divide(image[..., channel], params.bilateral_srgb, out=features[..., 2 + channel], dtype=np.float32)
        lattice = build_lattice(features.reshape(-1, 5), workers)
        normalize(lattice, workers)
        kernels.append((lattice, params.bilateral_weight))
    return kernels


@lru_cache(maxsize=4)
def _position_lattice(height: int, width: int, sxy: float) -> Lattice:
    """The lattice of the position kernel depends on nothing but the size: kept for the next images."""
    with Workers(1) as workers:
        lattice = build_lattice(_positions(height, width, sxy).reshape(-1, 2), workers)
        normalize(lattice, workers)
    return lattice


def _positions(height: int, width: int, sxy: float, features: int = 2) -> Floats:
    """Coordinates (x, y) / sxy of all pixels, and room for further features: (H, W, features)."""
    places = np.empty((height, width, features), np.float32)
    places[..., 0] = np.arange(width) / sxy
    places[..., 1] = np.arange(height)[:, None] / sxy
    return places
