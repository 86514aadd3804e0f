"""Lloyd's algorithm: scalar quantizers of the least mean square error, and vector codebooks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree

from qcskit.codec.classical._check import Array
from qcskit.codec.errors import QcsError
from qcskit.codec.quantizer import hard_index

MAX_CODEWORDS = 1 << 14
"""Largest vector codebook: its size is 2 to the number of bits, and so are training time and memory."""
SEEDED = 512
"""Codewords that k-means++ places; larger codebooks grow from these by splitting."""
SEED_SAMPLES = 20_000
TREE_DIMENSIONS = 8
"""Up to here a k-d tree finds the nearest codeword faster than all distances do."""


@dataclass(frozen=True)
class ScalarQuantizer:
    """A scalar quantizer: `thresholds` (I−1) between cells, `points` (I) they are rebuilt as, mean square `distortion`.

    `history` is the distortion after each of Lloyd's passes; empty for a uniform quantizer.
    """

    thresholds: Array
    points: Array
    distortion: float
    history: tuple[float, ...] = ()


def lloyd_scalar(
    samples: NDArray[np.generic], levels: int, passes: int = 5000, tolerance: float = 1e-12
) -> ScalarQuantizer:
    """Return the scalar quantizer with `levels` cells that Lloyd's algorithm finds for `samples`, of any shape.

    Begun at the quantiles; each pass puts thresholds midway between points and points at their cells' means, so the
    distortion never rises. Ends when a pass gains less than `tolerance` of it. (Lloyd, "Least squares quantization in
    PCM", 1982; for a log-concave density this is the one optimum.)
    Raises QcsError if `levels` is not in 2 … 256 or `samples` holds too few different values.
    """
    x = _samples(samples, levels)
    sums = np.concatenate([[0.0], np.cumsum(x)])
    energy = float(np.sum(x**2))
    points = np.quantile(x, (np.arange(levels) + 0.5) / levels)
    history: list[float] = []
    for _ in range(passes):
        thresholds = 0.5 * (points[1:] + points[:-1])
        cut = np.concatenate([[0], np.searchsorted(x, thresholds, side="right"), [len(x)]])
        count, total = np.diff(cut), np.diff(sums[cut])
        points = np.where(count > 0, total / np.maximum(count, 1), points)
        history.append((energy - float(np.sum(total**2 / np.maximum(count, 1)))) / len(x))
        if len(history) > 1 and history[-2] - history[-1] <= tolerance * history[-1]:
            break
    return ScalarQuantizer(thresholds, points, history[-1], tuple(history))


def uniform_scalar(samples: NDArray[np.generic], levels: int, widen: float = 1.0) -> ScalarQuantizer:
    """Return the uniform quantizer about the mean of `samples` with the step of least mean square error, times `widen`.

    Points are the midpoints of equal cells; the outermost two cells reach to infinity.
    Raises QcsError as `lloyd_scalar` does, or if `widen` is not positive.
    >>> q = uniform_scalar(np.array([-3.0, -1.0, 1.0, 3.0]), 4); np.round(q.points, 3)
    array([-3., -1.,  1.,  3.])
    """
    x = _samples(samples, levels)
    if not (np.isfinite(widen) and widen > 0):
        raise QcsError(f"widen = {widen}: the factor on the quantizer step must be positive")
    centre = float(x.mean())
    offsets = np.arange(levels, dtype=np.float64) - 0.5 * (levels - 1)

    def distortion(step: float) -> float:
        cell = np.clip(np.floor((x - centre) / step + 0.5 * levels), 0, levels - 1)
        return float(np.mean((x - centre - (cell - 0.5 * (levels - 1)) * step) ** 2))

    spread = float(np.abs(x - centre).max())
    coarse = np.geomspace(0.02, 2.0, 60) * 2 * spread / levels
    best = int(np.argmin([distortion(step) for step in coarse]))
    around = (coarse[max(best - 1, 0)], coarse[min(best + 1, 59)])
    found = minimize_scalar(distortion, bounds=around, method="bounded", options={"xatol": 1e-6 * spread})
    step = float(found.x) * widen
    return ScalarQuantizer(centre + (offsets[1:] - 0.5) * step, centre + offsets * step, distortion(step))


def on_grid(quantizer: ScalarQuantizer, samples: NDArray[np.generic], count: float) -> ScalarQuantizer:
    """Return the quantizer an ADC allows: every threshold moved to the nearest (k + ½) · count, between two counts.

    Inner points of a uniform quantizer move to the middle of their cell, those of Lloyd's to the mean of the training
    `samples` in it, if there are any. Raises QcsError if two thresholds meet or `count` is not positive.
    >>> q = on_grid(ScalarQuantizer(np.array([0.9, 2.2]), np.array([0.0, 1.5, 3.0]), 0.0), np.arange(4.0), 1.0)
    >>> q.thresholds, q.points
    (array([0.5, 2.5]), array([0. , 1.5, 3. ]))
    """
    if not (np.isfinite(count) and count > 0):
        raise QcsError(f"count = {count}: the measurement units of one ADC count must be positive")
    thresholds = (np.floor(quantizer.thresholds / count) + 0.5) * count
    if (np.diff(thresholds) <= 0).any():
        levels = len(thresholds) + 1
        raise QcsError(f"levels = {levels}: two thresholds fall between the same two ADC counts; raise adc.bits")
    x = np.asarray(samples, np.float64).ravel()
    cell = hard_index(x, thresholds)
    points = quantizer.points.copy()
    if quantizer.history:
        inside = np.bincount(cell, minlength=len(points))
        total = np.bincount(cell, x, len(points))
        points = np.where(inside > 0, total / np.maximum(inside, 1), points)
    elif len(points) > 2:
        points[1:-1] = 0.5 * (thresholds[1:] + thresholds[:-1])
    return ScalarQuantizer(thresholds, points, float(np.mean((x - points[cell]) ** 2)), quantizer.history)


def _samples(samples: NDArray[np.generic], levels: int) -> Array:
    if not 2 <= levels <= 256:
        raise QcsError(f"levels = {levels}: a scalar quantizer has 2 … 256 levels")
    x = np.sort(np.asarray(samples, np.float64), axis=None)
    if len(x) < levels or not np.isfinite(x).all() or x[0] == x[-1]:
        raise QcsError(f"a quantizer of {levels} levels needs at least as many finite, differing training samples")
    return x


@dataclass(frozen=True)
class Codebook:
    """Codewords (size, d), their mean square `distortion` per training vector, and its `history` pass by pass."""

    points: Array
    distortion: float
    history: tuple[float, ...]

    def nearest(self, vectors: Array) -> NDArray[np.int64]:
        """Return the index of the codeword nearest to each of `vectors` (frames, d)."""
        return _nearest(self.points, vectors)[0]


def check_size(size: int) -> None:
    """Raise QcsError unless `size` is a power of two of codewords, at most MAX_CODEWORDS."""
    if size < 2 or size & (size - 1):
        raise QcsError(f"a vector codebook has a power of two of codewords, not {size}")
    if size > MAX_CODEWORDS:
        raise QcsError(f"a vector quantizer of {size.bit_length() - 1} bits has {size} codewords, more than the "
                       f"{MAX_CODEWORDS} that fit memory; lower the rate or take a scalar quantizer")  # fmt: skip


def lloyd_vector(samples: Array, size: int, seed: int = 0, passes: int = 60, tolerance: float = 1e-4) -> Codebook:
    """Return a codebook of `size` (a power of two) codewords for `samples` (frames, d).

    Up to SEEDED codewords start by greedy k-means++ (Arthur, Vassilvitskii, 2007; eight candidates each), which ends
    about 1 dB below splitting from one codeword at 16 to 32 codewords; beyond, every codeword gets a twin at a random
    place within its cell's spread (Linde, Buzo, Gray, "An algorithm for vector quantizer design", 1980). Lloyd passes
    follow until one gains less than `tolerance`; a codeword left without samples moves into a cell of large
    distortion. No pass ever raises the distortion.
    Raises QcsError if `size` is not a power of two, is beyond MAX_CODEWORDS, or has fewer than two samples each.
    """
    x = np.ascontiguousarray(samples, np.float64)
    check_size(size)
    if x.ndim != 2 or len(x) < 2 * size:
        raise QcsError(f"{size} codewords need at least {2 * size} training vectors, got {len(x)}")
    rng = np.random.default_rng(seed)
    history: list[float] = []
    points = _seeds(x[: max(SEED_SAMPLES, 2 * size)], min(size, SEEDED), rng)
    while len(points) < size:
        points = _passes(points, x, history, 12, tolerance)
        cell, squared = _nearest(points, x)
        count = np.maximum(np.bincount(cell, minlength=len(points)), 1)
        spread = np.sqrt(np.bincount(cell, squared, len(points)) / count)
        twin = points + (0.5 * spread / np.sqrt(x.shape[1]))[:, None] * rng.standard_normal(points.shape)
        points = np.concatenate([points, twin])
    points = _passes(points, x, history, passes, tolerance)
    return Codebook(points, history[-1], tuple(history))


def _seeds(x: Array, size: int, rng: np.random.Generator, candidates: int = 8) -> Array:
    """Return `size` samples, each the best of some drawn in proportion to the squared distance so far."""
    points = np.empty((size, x.shape[1]))
    points[0] = x[rng.integers(len(x))]
    squared = np.sum((x - points[0]) ** 2, axis=1)
    energy = np.sum(x**2, axis=1)
    for i in range(1, size):
        tried = x[np.searchsorted(np.cumsum(squared), rng.random(candidates) * squared.sum()).clip(max=len(x) - 1)]
        after = np.minimum(squared, np.maximum(energy - 2 * tried @ x.T + np.sum(tried**2, axis=1)[:, None], 0.0))
        best = int(after.sum(axis=1).argmin())
        points[i], squared = tried[best], after[best]
    return points


def _passes(points: Array, x: Array, history: list[float], passes: int, tolerance: float) -> Array:
    """Return the codewords after Lloyd passes; appends to `history` the distortion before each, then the last one's."""
    cell, squared = _nearest(points, x)
    history.append(float(squared.mean()))
    for _ in range(passes):
        points = _centroids(points, x, cell, squared)
        cell, squared = _nearest(points, x)
        history.append(float(squared.mean()))
        if history[-2] - history[-1] <= tolerance * history[-2]:
            break
    return points


def _centroids(points: Array, x: Array, cell: NDArray[np.int64], squared: Array) -> Array:
    """Return the mean of every cell; a codeword with no samples goes to a far sample of a bad cell instead."""
    count = np.bincount(cell, minlength=len(points))
    sums = np.stack([np.bincount(cell, column, len(points)) for column in x.T], axis=1)
    moved = sums / np.maximum(count, 1)[:, None]
    empty = np.flatnonzero(count == 0)
    if len(empty):
        worst = np.argsort(-np.bincount(cell, squared, len(points)), kind="stable")[: len(empty)]
        order = np.lexsort((-squared, cell))
        first = np.searchsorted(cell[order], worst)
        moved[empty[: len(worst)]] = x[order[first]]
    return moved


def _nearest(points: Array, x: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the nearest codeword of each vector and the squared distance to it."""
    if x.shape[1] <= TREE_DIMENSIONS:
        distance, index = cKDTree(points).query(x, workers=-1)
        return index.astype(np.int64), distance**2
    index = np.empty(len(x), np.int64)
    half = 0.5 * np.sum(points**2, axis=1)
    chunk = max(1, 8_000_000 // len(points))
    for i in range(0, len(x), chunk):
        index[i : i + chunk] = np.argmax(x[i : i + chunk] @ points.T - half, axis=1)
    return index, np.sum((x - points[index]) ** 2, axis=1)
