"""What the dense CRF takes: energies from scores and labels, parameters, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import Tensor

from weakseg.ops.densecrf.crf import PRESETS, CrfParams, dense_crf, unary_from_labels, unary_from_scores

PSA = PRESETS["psa"]


def zeros(labels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A black picture and energies of 0."""
    return torch.zeros(height, width, 3, dtype=torch.uint8), torch.zeros(labels, height, width)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_refuses_energies_that_are_not_finite(bad: float) -> None:
    image, unary = zeros(2, 4, 4)
    unary[1, 2, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        dense_crf(image, unary, PSA)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_refuses_scores_that_are_not_finite(bad: float) -> None:
    """Clipping would hide an infinite score."""
    scores = torch.full((2, 3, 4), 0.5)
    scores[1, 2, 3] = bad
    with pytest.raises(ValueError, match="1 of 24 scores are NaN or infinite"):
        unary_from_scores(scores)


def test_refuses_what_does_not_fit() -> None:
    image, unary = zeros(2, 4, 5)
    for pair in [(image[:3], unary), (image[None], unary), (image, unary[:0]), (image[..., 0], unary[0])]:
        with pytest.raises(ValueError, match=r"must be \(H, W, 3\)"):
            dense_crf(*pair, PSA)
    with pytest.raises(ValueError, match="uint8"):
        dense_crf(image.float() / 255, unary, PSA)
    with pytest.raises(ValueError, match="available: lattice, exact"):
        dense_crf(image, unary, PSA, method="fast")  # type: ignore[arg-type]


def test_unary_from_scores_clips() -> None:
    unary = unary_from_scores(torch.tensor([0.0, 1e-5, 0.5, 1.0, 2.0]))
    expected = -np.log([1e-5, 1e-5, 0.5, 1, 1])
    np.testing.assert_allclose(unary, expected, rtol=1e-6)


def test_unary_from_labels() -> None:
    labels = torch.tensor([[0, 2]], dtype=torch.uint8)
    right, wrong = -np.log(0.7), -np.log(0.15)
    expected = [[[right, wrong]], [[wrong, wrong]], [[wrong, right]]]
    np.testing.assert_allclose(unary_from_labels(labels, 3), expected, rtol=1e-6)
    np.testing.assert_array_equal(unary_from_labels(torch.zeros(2, 3, dtype=torch.int64), 1), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match=r"0\.\.1"):
        unary_from_labels(labels, 2)
    with pytest.raises(ValueError, match="certainty"):
        unary_from_labels(labels, 3, certainty=1)


def test_presets_are_the_published_ones() -> None:
    rows = {
        name: (p.iterations, p.gaussian_sxy, p.gaussian_weight, p.bilateral_sxy, p.bilateral_srgb, p.bilateral_weight)
        for name, p in PRESETS.items()
    }
    assert rows == {
        "psa": (10, 3, 3, 80, 13, 10),
        "seam-rw": (1, 3, 3, 80, 13, 10),
        "cpn": (5, 3, 3, 50, 13, 10),
        "irn": (10, 3, 3, 50, 5, 10),
        "vwl": (10, 1, 3, 64, 3, 4),
        "afa": (10, 3, 3, 64, 5, 4),
        "deeplabv2": (10, 1, 3, 67, 3, 4),
        "deeplabv1": (1, 3, 3, 32, 13, 10),
        "one-stage": (10, 3, 3, 80, 13, 10),
    }


@pytest.mark.parametrize(
    ("key", "value"), [("iterations", -1), ("gaussian_weight", -1.0), ("bilateral_srgb", 0.0), ("gaussian_sxy", np.nan)]
)
def test_refuses_parameters_out_of_range(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=key):
        CrfParams(**{key: value})
