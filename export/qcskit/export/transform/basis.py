"""The rows of a transform: KLT or DCT, rounded to integers and folded into blocks of weights (docs/transform.md, 1).

Nothing here asks BLAS or LAPACK, whose last bits depend on the machine: equal recordings give equal integers.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.network import Network, linear_rows
from qcskit.codec.transform.tables import Ints
from qcskit.export.transform.fast_dct import fast_dct, is_fast

Array = NDArray[np.float64]
LEAST_FRACTION_BITS, _MOST_FRACTION_BITS = 11, 15
_MOST_SUM = (2**31 - 1) // 32768
"""Of the weights' magnitudes in a row: then no counts whatever overflow int32."""
_SAME = 1e-6
"""Eigenvalues that differ by less of themselves belong to one space, of which any basis is as good."""
_SWEEPS, _CONVERGED, _NOTHING = 20, 1e-16, 1e-100
"""Of Jacobi's method on a matrix of entries up to about 1."""


@dataclass(frozen=True)
class Rows:
    """Rows (K, n) as reals and, times 2^fraction_bits, as integers. folds: how often all have the symmetry for it.

    fast: they are a DCT that a network computes, as near to the integers as its rounding allows.
    """

    real: Array
    integer: Ints
    fraction_bits: int
    folds: int
    fast: bool = False

    def first(self, count: int) -> "Rows":
        """Return the first rows alone."""
        return replace(self, real=self.real[:count], integer=self.integer[:count])

    @property
    def network(self) -> Network:
        """What computes fast rows."""
        return fast_dct(self.integer.shape[1], len(self.integer), self.fraction_bits)

    @cached_property
    def reach(self) -> int:
        """Largest sum of magnitudes of a row."""
        if not self.fast:
            return int(np.abs(self.integer).sum(axis=1).max())
        # What a network rounds reaches less than one full-scale sample of weight 1.
        return 1 + math.ceil(np.abs(linear_rows(self.network)[0]).sum(axis=1).max())

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What computes them, by the names of tables.npz."""
        return self.network.arrays if self.fast else fold(self)


def make_rows(basis: str, series: Ints, n: int, stride: int, count: int = 0) -> Rows:
    """Return all n rows of a basis, the most important first.

    series: training part in counts less the centre (segments, samples); every stride-th sample is kept. count: how many
    will be asked for; 0: not known yet. Raises QcsError if the rows leave no room for their fraction bits.
    """
    if basis == "dct":
        return replace(rounded(dct_rows(n), halvings(n)), fast=is_fast(n, count or n))
    return rounded(klt_rows(lags(series, n, stride)), 1)


def lags(series: Ints, n: int, stride: int) -> Array:
    """Return the autocorrelation (n,) at lags 0, stride, … of series (segments, samples).

    The sums are exact: int64 holds those of 2^31 samples.
    """
    length = series.shape[1]
    sums = [int((series[:, : length - lag] * series[:, lag:]).sum()) for lag in range(0, n * stride, stride)]
    return np.array([total / (len(series) * (length - lag * stride)) for lag, total in enumerate(sums)])


def dct_rows(n: int) -> Array:
    """Return the rows (n, n) of the orthonormal DCT-II, exactly as symmetric as they are.

    >>> rows = dct_rows(6)
    >>> bool(np.allclose(rows @ rows.T, np.eye(6))), bool((rows[1] == -rows[1, ::-1]).all())
    (True, True)
    """
    quarter = [math.cos(math.pi * step / (2 * n)) for step in range(n)] + [0.0]
    wave = np.array(quarter + [-value for value in quarter[-2::-1]])  # half a period
    wave = np.concatenate([wave, wave[-2:0:-1]])
    k, i = np.arange(n)[:, None], np.arange(n)
    scale = np.where(k == 0, math.sqrt(1 / n), math.sqrt(2 / n))
    return np.asarray(scale * wave[(2 * i + 1) * k % (4 * n)])


def klt_rows(correlation: Array) -> Array:
    """Return the eigenvectors (n, n), one per row, of the symmetric Toeplitz matrix of an autocorrelation (n,).

    They are symmetric or antisymmetric, ordered by eigenvalue; of each the first entry above half the largest is
    positive. Where eigenvalues are equal, the DCT says which basis of their space is taken.
    """
    n, half = len(correlation), len(correlation) // 2
    matrix = (correlation / correlation[0])[np.abs(np.arange(n)[:, None] - np.arange(n))]
    near, across = matrix[:half, :half], matrix[:half, : half - 1 - n : -1]
    cosines = dct_rows(n) * math.sqrt(2)
    found: list[tuple[float, Array]] = []
    for sign in (1, -1):
        values, vectors = eigen(near + sign * across)
        for start, end in _equal(values):
            space = vectors[start:end]
            if end - start > 1:
                space = _nearest(space, cosines[(1 - sign) // 2 :: 2, :half])
            found += [
                (value, np.concatenate([row, sign * row[::-1]]) / math.sqrt(2))
                for value, row in zip(values[start:end], space, strict=True)
            ]
    found.sort(key=lambda pair: -pair[0])
    return np.stack([_signed(row) for _, row in found])


def eigen(matrix: Array) -> tuple[Array, Array]:
    """Return the eigenvalues (h,) of a symmetric matrix, descending, and the eigenvectors (h, h), one per row.

    Jacobi's method, h / 2 disjoint rotations at a time: single IEEE operations alone, the same on every machine.
    """
    size = len(matrix)
    a, vectors = matrix.copy(), np.eye(size)
    players = np.arange(size + size % 2)  # a round robin meets every pair; who meets the odd one out rests
    for _ in range(_SWEEPS):
        largest = 0.0
        for _ in range(len(players) - 1):
            pairs = np.sort(np.stack([players[: len(players) // 2], players[: len(players) // 2 - 1 : -1]]), axis=0)
            p, q = pairs[:, pairs[1] < size]
            largest = max(largest, float(np.abs(a[p, q]).max(initial=0.0)))
            c, s = _rotation(a[p, p], a[q, q], a[p, q])
            _rotate(a, p, q, c, s)
            _rotate(a.T, p, q, c, s)
            _rotate(vectors, p, q, c, s)
            players[1:] = np.roll(players[1:], 1)
        if largest < _CONVERGED:
            break
    order = np.argsort(-np.diag(a), kind="stable")
    return np.diag(a)[order], vectors[order]


def _rotation(pp: Array, qq: Array, pq: Array) -> tuple[Array, Array]:
    """Return cosines and sines that make the entries pq of symmetric 2×2 matrices 0."""
    done = np.abs(pq) < _NOTHING
    theta = (qq - pp) / np.where(done, 1.0, 2 * pq)
    t = np.where(theta < 0, -1.0, 1.0) / (np.abs(theta) + np.sqrt(theta * theta + 1.0))
    t = np.where(done, 0.0, t)
    c = 1.0 / np.sqrt(t * t + 1.0)
    return c, t * c


def _rotate(a: Array, p: NDArray[Any], q: NDArray[Any], c: Array, s: Array) -> None:
    first, second = a[p], a[q]
    c, s = c[:, None], s[:, None]
    a[p], a[q] = c * first - s * second, s * first + c * second


def _equal(values: Array) -> list[tuple[int, int]]:
    """Return [start, end) of each run of equal eigenvalues, of which there are h in descending order."""
    apart = np.flatnonzero(values[:-1] - values[1:] >= _SAME * np.abs(values[:-1])) + 1
    edges = [0, *apart.tolist(), len(values)]
    return list(pairwise(edges))


def _nearest(space: Array, cosines: Array) -> Array:
    """Return the orthonormal basis (d, h) of a space that follows those rows of the DCT which lie most in it."""
    left, chosen = np.einsum("dh,kh->dk", space, cosines), []
    for _ in range(len(space)):
        energy = (left * left).sum(axis=0)
        best = int(np.round(energy, 6).argmax())
        chosen.append(left[:, best] / math.sqrt(energy[best]))
        left = left - chosen[-1][:, None] * (chosen[-1][:, None] * left).sum(axis=0)
    return np.einsum("cd,dh->ch", np.stack(chosen), space)


def _signed(row: Array) -> Array:
    first = row[np.argmax(np.abs(row) > 0.5 * np.abs(row).max())]
    return row if first > 0 else -row


def halvings(n: int) -> int:
    """Return how often a DCT is folded: even lengths, down to 4 samples, below which a device gains nothing.

    >>> [halvings(n) for n in (8, 24, 32, 34, 512)]
    [1, 2, 3, 1, 7]
    """
    count = 1
    while n % 2 ** (count + 1) == 0 and n >> (count + 1) >= 4:
        count += 1
    return count


def rounded(real: Array, folds: int) -> Rows:
    """Return rows as integers with the most fraction bits. Raises QcsError if there are too few."""
    for bits in range(_MOST_FRACTION_BITS, LEAST_FRACTION_BITS - 1, -1):
        rows = Rows(real, np.rint(np.ldexp(real, bits)).astype(np.int64), bits, folds)
        if rows.reach <= _MOST_SUM and np.abs(rows.integer).max() <= 32767:
            return rows
    raise QcsError(f"[transform] basis: a row of n = {real.shape[1]} samples leaves less than {LEAST_FRACTION_BITS} "
                   "fraction bits; choose basis = 'dct' or a smaller n")  # fmt: skip


def fold(rows: Rows) -> dict[str, Any]:
    """Return `blocks`, `weights` and `positions` of tables.npz: each row in the first block whose symmetry it has."""
    left, places, size = rows.integer, np.arange(len(rows.integer)), rows.integer.shape[1]
    blocks, weights, positions = [], [], []
    for last in [False] * rows.folds + [True]:
        half = size if last else size // 2
        own = np.full(len(left), last)
        if not last:
            own = (left[:, :half] == -left[:, : half - 1 - size : -1]).all(axis=1) & left.any(axis=1)
        blocks.append((half, int(own.sum())))
        weights.append((left[own] if last else left[own][:, half - 1 :: -1]).ravel())
        positions.append(places[own])
        left, places, size = left[~own][:, :half], places[~own], half
    return {
        "blocks": np.array(blocks, np.uint16),
        "weights": np.concatenate(weights).astype(np.int16),
        "positions": np.concatenate(positions).astype(np.uint16),
    }
