"""Vectors on edges: every edge as often, closer than what they were chosen from, inside their type."""

import numpy as np
import pytest
from support.tables import edge_distances, random_tables

from qcskit.codec.learned.edges import POOL_FACTOR, on_edges


@pytest.fixture(scope="module")
def tables():
    return random_tables(np.random.default_rng(2), [6, 8, 3], 4)


def drawn(tables, wanted: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and the pool that they come from."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(-128, 128, (wanted * POOL_FACTOR, tables.inputs), np.int8)
    return on_edges(tables.accumulator, tables.thresholds, pool, 1, rng), pool


def test_they_lie_on_all_edges_of_int8(tables) -> None:
    vectors, pool = drawn(tables, 1800)
    assert vectors.shape == (1800, 6)
    assert vectors.dtype == np.int8
    assert (edge_distances(tables, vectors) == 0).sum() >= 16  # of 18; two lie beyond every accumulator
    assert (edge_distances(tables, pool[:1800]) == 0).mean() < 0.5


@pytest.mark.parametrize("wanted", [18, 7, 40])
def test_every_edge_is_aimed_at_before_one_is_twice(tables, wanted: int) -> None:
    vectors, pool = drawn(tables, wanted)
    far, before = edge_distances(tables, vectors), edge_distances(tables, pool)
    assert len(vectors) == wanted
    assert (far <= before).sum() >= min(wanted, far.size)  # at least as close as the nearest of the pool


def test_steps_stay_inside_the_type() -> None:
    """An edge beyond reach draws every entry to its end, and not around it."""
    rng = np.random.default_rng(0)
    pool = rng.integers(120, 128, (POOL_FACTOR * 50, 2), np.int8)
    far = np.array([[10_000]], np.int32)
    found = on_edges(lambda v: v.astype(np.int64).sum(axis=1, keepdims=True), far, pool, 1, rng)
    assert (found == 127).mean() > 0.9
    assert found.min() >= 120


def test_a_pool_smaller_than_the_edges() -> None:
    """Each vector aims at an edge of its own: one output, two thresholds, three vectors of four edges."""
    rng = np.random.default_rng(1)
    pool = rng.integers(-100, 100, (POOL_FACTOR * 3, 1), np.int16)
    found = on_edges(lambda v: v.astype(np.int64), np.array([[-50, 50]], np.int32), pool, 1, rng)
    assert (np.abs(np.abs(found) - 50) <= 3).all()
    assert len(set(np.sign(found.ravel()).tolist())) == 2
