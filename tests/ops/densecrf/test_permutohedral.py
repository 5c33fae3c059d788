import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from weakseg.ops.densecrf.permutohedral import Filter, Lattice, build_lattice, join, normalize, stack
from weakseg.ops.densecrf.workers import Workers

Floats = NDArray[np.float32]
WORKERS = Workers(1)


def points(seed: int, count: int, dimensions: int, spread: float) -> Floats:
    return np.random.default_rng(seed).uniform(-spread, spread, (count, dimensions)).astype(np.float32)


def apply(lattice: Lattice, values: Floats) -> Floats:
    return Filter(lattice, values.shape[1], WORKERS)(values)


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
    assert [table.shape for table in lattice.neighbours] == [(dimensions + 1, 2, lattice.rows)]
    np.testing.assert_allclose(lattice.weights.sum(1), 1, atol=1e-5)
    assert (lattice.weights >= -1e-3 * max(1, spread / 100)).all()
    assert set(np.unique(lattice.vertices)) == set(range(1, lattice.rows))
    assert all(len(set(corners)) == dimensions + 1 for corners in lattice.vertices.tolist())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), dimensions=st.integers(1, 5))
def test_neighbours_are_mutual(seed: int, dimensions: int) -> None:
    (neighbours,) = build_lattice(points(seed, 80, dimensions, 1.5), WORKERS).neighbours
    assert (neighbours[:, :, 0] == 0).all()
    for before, after in neighbours:
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
    filtering = Filter(lattice, channels, WORKERS)
    np.testing.assert_allclose(filtering(2 * values) - filtering(values), together, atol=1e-4)


def test_normalized_filter_keeps_the_root_of_the_mass() -> None:
    """D^-½ K D^-½ has D^½·1 as eigenvector with eigenvalue 1."""
    lattice = build_lattice(points(4, 200, 3, 2), WORKERS)
    root = np.sqrt(apply(lattice, np.ones((200, 1), np.float32)))
    np.testing.assert_allclose(apply(normalize(lattice, WORKERS), root), root, rtol=1e-4)


def test_joined_filters_add_up() -> None:
    features = points(5, 120, 5, 1)
    lattices = [build_lattice(np.ascontiguousarray(features[:, :d]), WORKERS) for d in (2, 5)]
    values = points(6, 120, 4, 1)
    expected = 3 * apply(lattices[0], values) + 10 * apply(lattices[1], values)
    np.testing.assert_allclose(apply(join(lattices, [3, 10], WORKERS), values), expected, rtol=1e-4, atol=1e-3)


def test_stacked_lattices_stay_apart() -> None:
    lattices = [build_lattice(points(seed, 70, 3, 1), WORKERS) for seed in (1, 2)]
    values = points(3, 140, 2, 1)
    expected = np.concatenate([apply(lattices[0], values[:70]), apply(lattices[1], values[70:])])
    np.testing.assert_allclose(apply(stack(lattices), values), expected, atol=1e-5)


def test_hash_table_grows() -> None:
    """Far apart, every point has vertices of its own; more of them than the table holds at first."""
    count = 20_000
    lattice = build_lattice(points(7, count, 5, 200), WORKERS)
    assert lattice.rows > 0.99 * 6 * count
    twice = build_lattice(np.repeat(points(7, count, 5, 200), 2, axis=0), WORKERS)
    assert twice.rows == lattice.rows
    np.testing.assert_array_equal(twice.vertices[::2], twice.vertices[1::2])


@pytest.mark.parametrize("spread", [2, 200])
def test_threads_share_the_work(spread: float) -> None:
    """Of small joined lattices each thread takes one, of large ones a part of the rows."""
    features, values = points(8, 30_000, 5, spread), points(9, 30_000, 4, 1)

    def joined(workers: Workers) -> Lattice:
        lattices = [build_lattice(np.ascontiguousarray(features[:, :d]), workers) for d in (2, 5)]
        return join(lattices, [3, 10], workers)

    alone = apply(joined(WORKERS), values)
    with Workers(3) as workers:
        shared = Filter(joined(workers), 4, workers)(values)
    np.testing.assert_allclose(shared, alone, rtol=1e-4, atol=1e-3)
