"""Orthogonal matching pursuit, vectorised over frames."""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.classical import _check
from qcskit.codec.classical._check import Array

CHUNK_FRAMES = 4096
NOISE_FREE = 1e-10
"""A frame whose residual is this small against y is solved: a further column would only fit rounding."""


def omp(y: NDArray[np.generic], Phi: NDArray[np.generic], s: int, residual: float = 0.0) -> Array:
    """Return x_hat (frames, N) with at most `s` non-zero entries from y (frames, M): orthogonal matching pursuit.

    Each pass adds the column of Φ (M, N) best correlated with the residual (columns compared at unit norm) and fits
    all chosen columns by least squares (Pati, Rezaiifar, Krishnaprasad, 1993). A frame stops after `s` passes, or once
    its residual norm is at most `residual`.
    Raises QcsError if a shape does not fit, Φ is singular, `s` is not in 1 … M, or `residual` is negative.
    >>> Phi = np.array([[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]])
    >>> omp(np.array([[1.2, 1.6]]), Phi, s=1)
    array([[0., 0., 2.]])
    """
    phi = _check.matrix(Phi)
    values = _check.measurements(y, len(phi))
    limit = _check.radius(residual)
    unit = phi / np.linalg.norm(phi, axis=0)
    gram = unit.T @ unit
    x_hat = np.zeros((len(values), phi.shape[1]))
    for i in range(0, len(values), CHUNK_FRAMES):
        part = slice(i, i + CHUNK_FRAMES)
        _omp_chunk(values[part], unit, gram, _check.sparsity(s, phi), limit, x_hat[part])
    x_hat /= np.linalg.norm(phi, axis=0)
    return x_hat


def _omp_chunk(y: Array, unit: Array, gram: Array, s: int, limit: float, x_hat: Array) -> None:
    """Solve one chunk into `x_hat`; `unit` has unit columns, gram = unitᵀ unit."""
    stop = np.maximum(limit, NOISE_FREE * np.linalg.norm(y, axis=1))
    going = np.flatnonzero(np.linalg.norm(y, axis=1) > stop)
    projected = y[going] @ unit
    correlation = projected
    support = np.empty((len(going), 0), np.intp)
    columns = np.ascontiguousarray(unit.T)
    for _ in range(s):
        if not len(going):
            return
        best = np.abs(correlation)
        np.put_along_axis(best, support, -1.0, 1)
        support = np.concatenate([support, best.argmax(axis=1)[:, None]], axis=1)
        system = gram[support[:, :, None], support[:, None, :]]
        fit = np.linalg.solve(system, np.take_along_axis(projected, support, 1)[:, :, None])[:, :, 0]
        x_hat[going[:, None], support] = fit
        rest = y[going] - np.matmul(fit[:, None, :], columns[support])[:, 0]
        on = np.linalg.norm(rest, axis=1) > stop[going]
        going, support, projected = going[on], support[on], projected[on]
        correlation = rest[on] @ unit
