"""Vectors whose last accumulators lie on a threshold or one below: where an error of one anywhere flips an index."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

POOL_FACTOR = 4
"""Vectors to draw per one that is wanted: of all scales, so that they lie about every threshold."""
_ROUNDS = 32
"""Steps that each of the nearest takes towards its edge."""

Vectors = NDArray[Any]
"""Of the type that the accumulator takes, (frames, inputs)."""


def on_edges(
    accumulator: Callable[[Vectors], NDArray[np.int64]], thresholds: NDArray[np.int32], pool: Vectors, step: int,
    rng: np.random.Generator,
) -> Vectors:  # fmt: skip
    """Return vectors (len(pool) // POOL_FACTOR, inputs) on or close to an edge, for all edges as many.

    accumulator: of vectors like those of the pool, (frames, K); thresholds: (K, I−1), each with two edges; step: about
    what an entry must change by for the network to see it.
    """
    edges = np.concatenate([thresholds, thresholds.astype(np.int64) - 1], axis=1)
    acc, wanted = accumulator(pool), len(pool) // POOL_FACTOR
    per = min(-(-wanted // edges.size), len(pool))
    near = np.stack([_nearest(column, goals, per) for column, goals in zip(acc.T, edges, strict=True)])
    # One of every edge first, the edges in any order, then the next nearest.
    order = rng.permutation(edges.size)
    place = near.reshape(edges.size, per)[order].T.ravel()[:wanted]
    chosen = np.resize(order, wanted)
    return _closer(accumulator, pool[place], chosen // edges.shape[1], edges.ravel()[chosen], step, rng)


def _nearest(acc: NDArray[np.int64], goals: NDArray[np.int64], per: int) -> NDArray[np.intp]:
    """Return which accumulators (frames,) lie nearest to each goal: places (goals, per), the nearest first."""
    order = np.argsort(acc, kind="stable")
    window = np.arange(-per, per) + np.searchsorted(acc[order], goals)[:, None]
    places = order[window.clip(0, len(acc) - 1)]
    rank = np.argsort(np.abs(acc[places] - goals[:, None]), axis=1, kind="stable")[:, :per]
    return np.take_along_axis(places, rank, axis=1)


def _closer(
    accumulator: Callable[[Vectors], NDArray[np.int64]], vectors: Vectors, outputs: NDArray[np.intp],
    goals: NDArray[np.int64], step: int, rng: np.random.Generator,
) -> Vectors:  # fmt: skip
    """Return vectors after random steps of one or two entries, of those that take accumulator `outputs` no further."""
    info = np.iinfo(vectors.dtype)

    def distance_of(some: Vectors, of: NDArray[np.intp]) -> NDArray[np.int64]:
        return np.abs(accumulator(some)[np.arange(len(of)), outputs[of]] - goals[of])

    vectors = vectors.copy()
    distance = distance_of(vectors, np.arange(len(vectors)))
    for round_number in range(_ROUNDS):
        off = np.flatnonzero(distance)
        tried = vectors[off].astype(np.int64)
        for _ in range(1 + round_number % 2):
            size = step * 2 ** rng.integers(0, 4, len(off)) * rng.choice([-1, 1], len(off))
            tried[np.arange(len(off)), rng.integers(0, vectors.shape[1], len(off))] += size
        moved = tried.clip(info.min, info.max).astype(vectors.dtype)
        found = distance_of(moved, off)
        better = found <= distance[off]
        vectors[off[better]], distance[off[better]] = moved[better], found[better]
    return vectors
