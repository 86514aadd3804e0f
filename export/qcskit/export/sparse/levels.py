"""Cells and points of coefficients: Lloyd–Max per coefficient, or points in the plane of both and on its axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from qcskit.codec.errors import QcsError
from qcskit.codec.sparse.tables import MOST_MAGNITUDE

Array = NDArray[np.float64]
_PASSES, _GAIN = 300, 1e-7
_PLANE_PASSES, _PLANE_GAIN = 150, 1e-5
_BINS = 4000
_TRIED, _TRIED_VECTORS, _TRIED_PASSES = 5, 4000, 20
"""Sizes of the plane code that are compared, on so many vectors and passes."""


@dataclass(frozen=True)
class Cells:
    """thresholds int16 (L / 2 − 1): the first magnitude of the next cell. points (L / 2,): what they are rebuilt as.

    Of a negative integer v it is the magnitude of −1 − v, so that both halves have as many.
    """

    thresholds: NDArray[np.int16]
    points: Array


def lloyd_cells(values: Array, truth: Array, levels: int) -> Cells:
    """Return Lloyd–Max cells, L an even number, of integers `values`; points are the means of what those were, `truth`.

    The density is taken as symmetric.
    Begun where the density's third root has equal parts, which is all but the end (Panter, Dite, 1951).
    """
    sign = np.where(values.ravel() < 0, -1, 1)
    magnitudes = np.where(sign < 0, -1 - values.ravel(), values.ravel())
    x, levels = np.sort(magnitudes.astype(np.float64)), levels // 2
    sums = np.concatenate([[0.0], np.cumsum(x)])
    points = _third_root(x, levels)
    before = np.inf
    for _ in range(_PASSES):
        cut = np.concatenate([[0], np.searchsorted(x, (points[1:] + points[:-1]) / 2), [len(x)]])
        count, total = np.diff(cut), np.diff(sums[cut])
        points = np.where(count > 0, total / np.maximum(count, 1), points)
        gained = float((total**2 / np.maximum(count, 1)).sum())
        if gained - before <= _GAIN * (sums[-1] if before == np.inf else gained) and before != np.inf:
            break
        before = gained
    thresholds = np.ceil((points[1:] + points[:-1]) / 2)
    # Where cells are finer than integers some stay empty.
    thresholds = np.maximum.accumulate(thresholds - np.arange(levels - 1)) + np.arange(levels - 1)
    thresholds = np.clip(thresholds, 1 + np.arange(levels - 1), 32768 - np.arange(levels - 1, 0, -1))
    index = np.searchsorted(thresholds, magnitudes, side="right")
    return Cells(thresholds.astype(np.int16), _means(index, truth.ravel() * sign, levels))


def _third_root(x: Array, levels: int) -> Array:
    density, edges = np.histogram(x, _BINS)
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(density))])
    return np.interp((np.arange(levels) + 0.5) / levels, share / share[-1], edges)


def _means(cell: NDArray[np.intp], truth: Array, levels: int) -> Array:
    """Return the mean of `truth` per cell; an empty cell takes its neighbours'."""
    count = np.bincount(cell, minlength=levels)
    total = np.bincount(cell, truth, levels)
    known = count > 0
    return np.interp(np.arange(levels), np.flatnonzero(known), total[known] / count[known])


@dataclass(frozen=True)
class Plane:
    """plane (p, 2), axis (q,): magnitudes of both coefficients, and of a lone one; points: what they stand for."""

    plane: Array
    axis: Array
    distortion: float = np.inf


def plane_points(values: Array, words: int, pairs: int, entries: int, seed: int) -> Plane:
    """Return the best points for magnitudes of `values` (vectors, 2) with 4 p · pairs + 2 q · entries <= words.

    Raises QcsError if these are more points than vectors.
    """
    magnitude = np.minimum(np.abs(values.astype(np.float64)), MOST_MAGNITUDE)
    magnitude = np.concatenate([magnitude, magnitude[:, ::-1]])
    most = (words - 2 * entries) // (4 * pairs)

    def made(p: int, vectors: Array, passes: int) -> Plane:
        q = (words - 4 * p * pairs) // (2 * entries)
        return _plane_lloyd(vectors, p, q, passes, np.random.default_rng(seed))

    few = magnitude[:: max(1, len(magnitude) // _TRIED_VECTORS)]
    if most > len(few):
        raise QcsError(f"[sparse] bits: code 'plane' would place {most:,} points by {len(few):,} vectors; at these "
                       "bits take code = 'lloyd' or 'range'")  # fmt: skip
    sizes = range(max(1, most - _TRIED + 1), most + 1)
    best = min(sizes, key=lambda p: made(p, few, _TRIED_PASSES).distortion)
    return made(best, magnitude, _PLANE_PASSES)


def points_of_sizes(values: Array, plane: int, axis: int, seed: int) -> Plane:
    """Return the best so many points in a quadrant, which may be none, and on an axis, for magnitudes of `values`."""
    magnitude = np.minimum(np.abs(values), MOST_MAGNITUDE)
    both = np.concatenate([magnitude, magnitude[:, ::-1]])
    return _plane_lloyd(both, plane, axis, _PLANE_PASSES, np.random.default_rng(seed))


def _plane_lloyd(x: Array, p: int, q: int, passes: int, rng: np.random.Generator) -> Plane:
    points = x[rng.choice(len(x), p, replace=False)]
    axis = np.quantile(x.max(axis=1), (np.arange(q) + 0.5) / q)
    before = np.inf
    for _ in range(passes):
        number, alone, squared = nearest(points, axis, x)
        distortion = float(squared.mean())
        if before - distortion <= _PLANE_GAIN * distortion:
            break
        before = distortion
        points = _centroids(points, x[alone < 0], number[alone < 0])
        lone = alone >= 0
        kept = np.where(alone[lone] == 0, x[lone, 0], x[lone, 1])
        axis = np.sort(_centroids(axis[:, None], kept[:, None], number[lone])[:, 0])
    return Plane(points, axis, distortion)


def nearest(points: Array, axis: Array, x: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return the nearest point of magnitudes x (vectors, 2), −1 or the coefficient that stands alone, the distance²."""
    distance, number = cKDTree(points).query(x)
    squared, alone = distance**2, np.full(len(x), -1)
    middles = (axis[1:] + axis[:-1]) / 2
    for place in (0, 1):
        index = np.searchsorted(middles, x[:, place])
        lone = (x[:, place] - axis[index]) ** 2 + x[:, 1 - place] ** 2
        better = lone < squared
        squared, number = np.where(better, lone, squared), np.where(better, index, number)
        alone = np.where(better, place, alone)
    return number, alone, squared


def _centroids(points: Array, x: Array, number: NDArray[np.intp]) -> Array:
    count = np.bincount(number, minlength=len(points))
    total = np.stack([np.bincount(number, column, len(points)) for column in x.T], axis=1)
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)
