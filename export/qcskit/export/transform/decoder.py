"""The host's part: at what an index is rebuilt, and the linear estimate of the window from rebuilt coefficients.

Sums are exact and the solver takes single IEEE operations: both arrays come out the same on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.transform.tables import Ints

Array = NDArray[np.float64]
_UNSURE = 4
"""A centroid is drawn to 0 as by so many indices that say so."""
_PRIOR = 4.0
"""The transposed rows count as much as this mean square of an index, summed over windows."""
_PARTS = 256
"""Of a step, in which rebuilt coefficients are summed."""


def centroids(index: Ints, acc: Ints, step: float) -> Array:
    """Return (K, 3): how far beyond the index lies |acc| / step, on average, where it is 1, 2, and 3 or more.

    index, acc: (windows, K). step: in units of acc.
    """
    magnitude, size = np.abs(index), np.abs(acc)
    found = []
    for cell in (magnitude == 1, magnitude == 2, magnitude >= 3):
        beyond = np.where(cell, size, 0).sum(axis=0) / step - np.where(cell, magnitude, 0).sum(axis=0)
        found.append(beyond / (cell.sum(axis=0) + _UNSURE))
    return np.stack(found, axis=1)


def estimator(coefficients: Array, x: Ints, prior: Array) -> Array:
    """Return the decoder (N, K): least squares from coefficients in steps (windows, K) to x in counts (windows, N).

    prior: (N, K), which decides where the windows say nothing.
    """
    q = np.rint(coefficients * _PARTS).astype(np.int64)
    own, rows = _product(q, q) / _PARTS**2, coefficients.shape[1]
    right = _product(q, x) / _PARTS + _PRIOR * prior.T
    return _solve(own + _PRIOR * np.eye(rows), right).T


def _product(a: Ints, b: Ints) -> Array:
    """Return aᵀ b, exact while it is below 2^63, rounded once.

    BLAS adds doubles in any order: of halves of 12 and of what is above, it finds whole numbers that doubles hold.
    """
    low, high = (a & 0xFFF).astype(np.float64), (a >> 12).astype(np.float64)
    right = b.astype(np.float64)
    total = ((high.T @ right).astype(np.int64) << 12) + (low.T @ right).astype(np.int64)
    return total.astype(np.float64)


def _solve(a: Array, b: Array) -> Array:
    """Return a⁻¹ b of a positive definite matrix by elimination: single operations, in one order."""
    both = np.concatenate([a, b], axis=1)
    for k in range(len(a)):
        pivot = both[k] / both[k, k]
        both -= both[:, k : k + 1] * pivot
        both[k] = pivot
    return both[:, len(a) :]
