import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weakseg.ops.densecrf import permutohedral
from weakseg.ops.densecrf._filter_loops import splat
from weakseg.ops.densecrf.permutohedral import (
    Filter,
    Lattice,
    blur_all,
    build_lattice,
    neighbours,
    normalize,
    plain_vertices,
)
from weakseg.ops.densecrf.workers import Workers

Floats = NDArray[np.float32]
WORKERS = Workers(1)


def points(seed: int, count: int, dimensions: int, spread: float) -> Floats:
    return np.random.default_rng(seed).uniform(-spread, spread, (count, dimensions)).astype(np.float32)


def apply(lattice: Lattice, values: Floats) -> Floats:
    return Filter(lattice, values.shape[1])(values, WORKERS)


def gaussian(features: Floats, values: Floats) -> Floats:
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    result: Floats = np.exp(-0.5 * distance) @ values
    return result


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 60),
    dimensions=st.integers(1, 6),
    spread=st.sampled_from([0.01, 1.0, 100.0, 3000.0]),
)
def test_points_lie_inside_their_simplices(seed: int, count: int, dimensions: int, spread: float) -> None:
    lattice = build_lattice(points(seed, count, dimensions, spread), WORKERS)
    assert lattice.vertices.shape == lattice.weights.shape == (count, dimensions + 1)
    assert len(lattice.lines) == dimensions + 1
    np.testing.assert_allclose(lattice.weights.sum(1), 1, atol=1e-5)
    assert (lattice.weights >= -1e-3 * max(1, spread / 100)).all()
    assert set(np.unique(lattice.vertices)) == set(range(1, lattice.rows))
    assert all(len(set(corners)) == dimensions + 1 for corners in lattice.vertices.tolist())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), dimensions=st.integers(1, 5))
def test_neighbours_are_mutual(seed: int, dimensions: int) -> None:
    found = neighbours(build_lattice(points(seed, 80, dimensions, 1.5), WORKERS))
    assert (found[:, :, 0] == 0).all()
    for before, after in found:
        rows = np.flatnonzero(after)
        np.testing.assert_array_equal(before[after[rows]], rows)
        rows = np.flatnonzero(before)
        np.testing.assert_array_equal(after[before[rows]], rows)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_filter_is_nearly_gaussian(dimensions: int) -> None:
    features = points(0, 1500, dimensions, 2)
    values = np.random.default_rng(1).random((1500, 3), np.float32) + (features[:, :1] > 0)
    ours, exact = apply(build_lattice(features, WORKERS), values), gaussian(features, values)
    ratio = ours / exact
    assert ratio.std() / ratio.mean() < 0.1
    # Moving the points by a constant changes only their places in the cells.
    moved = apply(build_lattice(features + np.float32(0.37), WORKERS), values)
    assert np.abs(moved / ours - 1).mean() < 0.1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), channels=st.integers(1, 9))
def test_filter_is_linear_channel_by_channel(seed: int, channels: int) -> None:
    lattice = build_lattice(points(seed, 50, 5, 1), WORKERS)
    values = np.random.default_rng(seed).standard_normal((50, channels)).astype(np.float32)
    together = apply(lattice, values)
    single = np.concatenate([apply(lattice, column[:, None]) for column in values.T], 1)
    np.testing.assert_allclose(together, single, atol=1e-5)
    filtering = Filter(lattice, channels)
    twice = filtering(2 * values, WORKERS)
    np.testing.assert_allclose(twice - filtering(values, WORKERS), together, atol=1e-4)


def test_normalized_filter_keeps_the_root_of_the_mass() -> None:
    """D^-½ K D^-½ has D^½·1 as eigenvector with eigenvalue 1."""
    lattice = build_lattice(points(4, 200, 3, 2), WORKERS)
    root = np.sqrt(apply(lattice, np.ones((200, 1), np.float32)))
    normalize(lattice, WORKERS)
    np.testing.assert_allclose(apply(lattice, root), root, rtol=1e-4)


def naive(lattice: Lattice, values: Floats) -> NDArray[np.float64]:
    """The filter with a row for each vertex alone, one axis after the other."""
    vertices, rows = plain_vertices(lattice), np.zeros((lattice.rows, values.shape[1]))
    for corner, weight in zip(vertices.T, lattice.weights.T, strict=True):
        np.add.at(rows, corner, weight[:, None] * values.astype(np.float64))
    for before, after in neighbours(lattice):
        rows = rows + 0.5 * (rows[before] + rows[after])
    result: NDArray[np.float64] = (rows[vertices] * lattice.weights[..., None]).sum(1)
    return result


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 90),
    dimensions=st.integers(1, 6),
    channels=st.integers(1, 9),
    shares=st.integers(1, 4),
)
def test_filter_is_the_naive_one(seed: int, count: int, dimensions: int, channels: int, shares: int) -> None:
    """Cut into shares or not."""
    features, values = points(seed, count, dimensions, 1.5), points(seed + 1, count, channels, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permutohedral, "_POINTS", -(-count // shares))
        lattice = build_lattice(features, WORKERS)
    whole = build_lattice(features, WORKERS)
    assert len(whole.copies) == 0
    assert lattice.rows - len(lattice.copies) == whole.rows
    np.testing.assert_array_equal(lattice.weights, whole.weights)
    expected = naive(whole, values)
    np.testing.assert_allclose(naive(lattice, values), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(apply(lattice, values), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(apply(whole, values), expected, rtol=1e-4, atol=1e-4)


def test_hash_table_grows() -> None:
    """Far apart, every point has vertices of its own; more of them than the table holds at first."""
    count = 20_000
    lattice = build_lattice(points(7, count, 5, 200), WORKERS)
    assert lattice.rows > 0.99 * 6 * count
    twice = build_lattice(np.repeat(points(7, count, 5, 200), 2, axis=0), WORKERS)
    assert twice.rows == lattice.rows
    np.testing.assert_array_equal(twice.vertices[::2], twice.vertices[1::2])


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_threads_change_nothing_in_filters(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Threads share the filters and their groups of channels, or the caller blurs them all."""
    monkeypatch.setattr(permutohedral, "_FEW", few)
    features, values = points(8, 20_000, 5, 2), points(9, 20_000, 12, 1)

    def blurred(workers: Workers) -> list[Floats]:
        filters = [Filter(build_lattice(np.ascontiguousarray(features[:, :d]), workers), 12) for d in (2, 5)]
        for one in filters:
            splat(one.lattice.vertices, one.lattice.weights, values, one.sums)
        blur_all(filters, workers)
        assert not any(one.sums.any() for one in filters)
        return [one.rows for one in filters]

    with Workers(3) as workers:
        together = blurred(workers)
    for shared, alone in zip(together, blurred(WORKERS), strict=True):
        np.testing.assert_array_equal(shared, alone)
