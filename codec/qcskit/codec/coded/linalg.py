"""Linear algebra over F_p for small dense matrices (rows up to a few hundred)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError


def row_reduce(matrix: NDArray[np.integer[Any]], p: int) -> tuple[NDArray[np.int64], list[int]]:
    """Return the reduced row echelon form over F_p (same shape) and its pivot columns.

    >>> row_reduce(np.array([[2, 1], [1, 2]]), 3)
    (array([[1, 2],
           [0, 0]]), [0])
    """
    a = np.asarray(matrix, np.int64) % p
    pivots: list[int] = []
    for column in range(a.shape[1]):
        row = len(pivots)
        if row == a.shape[0]:
            break
        candidates = np.flatnonzero(a[row:, column])
        if candidates.size == 0:
            continue
        a[[row, row + candidates[0]]] = a[[row + candidates[0], row]]
        a[row] = a[row] * pow(int(a[row, column]), -1, p) % p
        others = np.flatnonzero(a[:, column])
        others = others[others != row]
        a[others] = (a[others] - np.outer(a[others, column], a[row])) % p
        pivots.append(column)
    return a, pivots


def independent_rows(matrix: NDArray[np.integer[Any]], p: int) -> list[int]:
    """Return the first rows, in order, that are linearly independent over F_p and span the row space."""
    return row_reduce(np.asarray(matrix).T, p)[1]


def inverse(matrix: NDArray[np.integer[Any]], p: int) -> NDArray[np.int64]:
    """Return the inverse over F_p of a square matrix. Raises QcsError if it is singular."""
    size = matrix.shape[0]
    reduced, pivots = row_reduce(np.hstack([np.asarray(matrix, np.int64), np.eye(size, dtype=np.int64)]), p)
    if pivots != list(range(size)):
        raise QcsError(f"a {size} x {size} matrix over F_{p} is singular")
    return reduced[:, size:]
