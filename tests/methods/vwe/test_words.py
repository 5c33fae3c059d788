import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakseg.errors import WeaksegError
from weakseg.methods.vwe.words import (
    decorrelation,
    sampled_words,
    updated_words,
    word_histogram,
    word_presence,
    word_probabilities,
    word_similarity,
)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("suffix", ["", "2"])
def test_words_are_those_of_vwe(golden, suffix):
    vectors = golden("vwe_words")
    codebook = torch.from_numpy(vectors["centroid"]).flatten(1)
    probabilities = word_probabilities(torch.from_numpy(vectors[f"x{suffix}"]), codebook)
    np.testing.assert_allclose(probabilities, vectors[f"corr{suffix}"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(word_histogram(probabilities), vectors[f"hist{suffix}"][..., 0, 0], rtol=1e-5)
    np.testing.assert_array_equal(word_presence(probabilities).bool(), vectors[f"y_word{suffix}"])


def test_the_golden_gradient_is_one_of_the_histogram(golden):
    """Of which weighted sum the file does not say: some weights give it, to rounding (22 unknowns, 96 numbers)."""
    vectors = golden("vwe_words")
    features, codebook = torch.from_numpy(vectors["x"]), torch.from_numpy(vectors["centroid"]).flatten(1)
    jacobian = torch.autograd.functional.jacobian(
        lambda words: word_probabilities(features, words).sum((2, 3)), codebook
    )
    rows = jacobian.flatten(0, 1).flatten(1).double()
    gradient = torch.from_numpy(vectors["grad_centroid"]).flatten().double()
    weights = torch.linalg.lstsq(rows.T, gradient[:, None], driver="gelsd").solution
    torch.testing.assert_close((rows.T @ weights)[:, 0], gradient, rtol=0, atol=1e-6)


def test_decorrelation_is_that_of_vwl(golden):
    vectors = golden("vwl_learning")
    codebook = torch.from_numpy(vectors["centroid"]).flatten(1).requires_grad_()
    penalty = decorrelation(codebook)
    penalty.backward()
    np.testing.assert_allclose(penalty.item(), vectors["decov_c"], rtol=1e-5)
    np.testing.assert_allclose(codebook.grad, vectors["grad_c"][..., 0, 0], rtol=1e-5, atol=1e-6)


@given(count=st.integers(1, 9), seed=st.integers(0, 99))
def test_words_at_right_angles_are_not_penalised(count, seed):
    basis, _ = torch.linalg.qr(torch.cat([torch.ones(10, 1), random(10, 9, seed=seed)], dim=1).double())
    lengths = 1 + torch.arange(count, dtype=torch.float64)[:, None]
    words = lengths * basis[:, 1 : count + 1].T  # each of mean 0
    assert decorrelation(words).item() == pytest.approx(0, abs=1e-6)
    assert decorrelation(words + 5).item() == pytest.approx(0, abs=1e-6)
    if count > 1:
        assert decorrelation(words[:1].expand(count, -1)).item() > 0.1


@given(k=st.integers(1, 6), seed=st.integers(0, 99), factor=st.floats(0.1, 10))
def test_probabilities_are_of_directions_and_sum_to_one(k, seed, factor):
    features, codebook = random(2, 5, 3, 4, seed=seed), random(k, 5, seed=seed + 1)
    probabilities = word_probabilities(features, codebook)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 3, 4))
    torch.testing.assert_close(word_probabilities(factor * features, codebook / factor), probabilities)
    similarity = word_similarity(features, codebook)
    assert similarity.abs().max() <= 1 + 1e-5
    assert torch.equal(word_presence(similarity), word_presence(probabilities))
    assert probabilities.max() <= math.e**2 / (math.e**2 + k - 1) + 1e-5


def test_features_of_length_zero_are_like_no_word():
    codebook = random(3, 5)
    assert torch.equal(word_similarity(torch.zeros(1, 5, 1, 1), codebook), torch.zeros(1, 3, 1, 1))
    assert torch.isfinite(word_probabilities(random(1, 5, 2, 2), torch.zeros(3, 5))).all()


def test_the_histogram_counts_or_averages():
    probabilities = torch.tensor([[[0.25, 1.0]], [[0.75, 0.0]]])[None]
    assert word_histogram(probabilities).tolist() == [[1.25, 0.75]]
    assert word_histogram(probabilities, "mean").tolist() == [[0.625, 0.375]]
    with pytest.raises(WeaksegError, match="unknown histogram 'max'; available: sum, mean"):
        word_histogram(probabilities, "max")


def test_a_word_is_present_where_it_is_the_likeliest_of_a_pixel():
    scores = torch.tensor([[[0.1, 0.2]], [[0.3, 0.2]], [[0.2, 0.1]]])[None].requires_grad_()
    present = word_presence(scores)
    assert present.tolist() == [[1, 1, 0]]  # of equal words the first
    assert not present.requires_grad


def test_a_word_moves_towards_the_mean_of_its_pixels():
    codebook = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    features = torch.tensor([[4.0, 2.0, 0.0], [0.0, 1.0, 8.0]])[None, :, None, :]
    moved = updated_words(codebook, features, word_similarity(features, codebook), rate=0.1)
    expected = [[0.9 + 0.1 * 3, 0.1 * 0.5], [0.0, 0.9 + 0.1 * 8], [-0.9, 0.0]]
    torch.testing.assert_close(moved, torch.tensor(expected), rtol=1e-3, atol=1e-3)
    assert torch.equal(updated_words(codebook, features, word_similarity(features, codebook), rate=0.0), codebook)


@pytest.mark.parametrize("count", [4, 12, 30])
def test_the_first_words_are_pixels(count):
    features = random(2, 5, 2, 3)
    torch.manual_seed(0)
    words = sampled_words(features, count)
    torch.manual_seed(0)
    assert torch.equal(sampled_words(features, count), words)
    pixels = {tuple(pixel.tolist()) for pixel in features.movedim(1, -1).reshape(-1, 5)}
    chosen = [tuple(word.tolist()) for word in words]
    assert len(chosen) == count
    assert set(chosen) <= pixels
    assert len(set(chosen)) == count or count > 12
