"""Measurement matrices Φ (M, N) and sparsity bases Ψ (N, N), each with its definition."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.readers import read_array

Matrix = NDArray[np.float64]

_HAAR = (2.0**-0.5, 2.0**-0.5)
_DB4 = (
    0.23037781330885523, 0.7148465705525415, 0.6308807679295904, -0.02798376941698385,
    -0.18703481171888114, 0.030841381835986965, 0.032883011666982945, -0.010597401784997278,
)  # fmt: skip
"""Low-pass filters; db4 has 4 vanishing moments (I. Daubechies, Ten Lectures on Wavelets, table 6.1)."""


def dct_basis(n: int) -> Matrix:
    """Return Ψ (n, n) whose columns are the orthonormal DCT-II vectors: x = Ψ c.

    >>> bool(np.allclose(dct_basis(5).T @ dct_basis(5), np.eye(5)))
    True
    """
    from scipy.fft import idct  # here: it would double the start of every command

    return idct(np.eye(n), norm="ortho", axis=0)


def wavelet_basis(n: int, low_pass: tuple[float, ...]) -> Matrix:
    """Return Ψ (n, n), the inverse of the periodic orthonormal wavelet transform: x = Ψ c.

    The pyramid halves the approximation while its length is even and not shorter than the filter.
    Raises QcsError if not even one level fits.
    >>> bool(np.allclose(wavelet_basis(12, _HAAR).T @ wavelet_basis(12, _HAAR), np.eye(12)))
    True
    """
    low = np.array(low_pass)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    analysis, length = np.eye(n), n
    while length % 2 == 0 and length >= len(low):
        step = np.zeros((length, length))
        for k in range(length // 2):
            columns = (2 * k + np.arange(len(low))) % length
            np.add.at(step[k], columns, low)
            np.add.at(step[length // 2 + k], columns, high)
        analysis[:length] = step @ analysis[:length]
        length //= 2
    if length == n:
        raise QcsError(f"[signal] basis: this wavelet needs an even n of at least {len(low)}, got n = {n}; choose dct")
    return analysis.T


@cache
def sparsity_basis(name: str, n: int) -> Matrix:
    """Return Ψ (n, n), orthonormal and read-only; name: identity, dct, haar or db4."""
    makers: dict[str, Callable[[], Matrix]] = {
        "identity": lambda: np.eye(n),
        "dct": lambda: dct_basis(n),
        "haar": lambda: wavelet_basis(n, _HAAR),
        "db4": lambda: wavelet_basis(n, _DB4),
    }
    basis = makers[name]()
    basis.setflags(write=False)
    return basis


def dct_rows(m: int, n: int) -> Matrix:
    """Return the first m rows of the n x n DCT-II, columns scaled to unit norm (DeepQCS paper, section V-A)."""
    return _unit_columns(dct_basis(n).T[:m])


def gaussian(m: int, n: int, seed: int) -> Matrix:
    """Return independent N(0, 1) entries, columns scaled to unit norm."""
    return _unit_columns(np.random.default_rng(seed).standard_normal((m, n)))


def bernoulli(m: int, n: int, seed: int) -> Matrix:
    """Return independent entries ±1/√m."""
    return np.where(np.random.default_rng(seed).random((m, n)) < 0.5, -1.0, 1.0) / np.sqrt(m)


def subsampling(m: int, n: int, seed: int) -> Matrix:
    """Return m random rows of the identity in ascending order: y is x at m random places."""
    return np.eye(n)[np.sort(np.random.default_rng(seed).choice(n, m, replace=False))]


def uniform(m: int, n: int) -> Matrix:
    """Return m rows of the identity, as evenly as they can lie: y is x at places ⌊k n / m⌋.

    >>> uniform(2, 5).argmax(axis=1).tolist()
    [0, 2]
    """
    return np.eye(n)[np.arange(m) * n // m]


def matrix_from_file(path: Path, m: int, n: int) -> Matrix:
    """Return the matrix in a .npy, .npz (one array) or .csv file, as it is.

    Raises QcsError if it is not (m, n) or has linearly dependent rows, and as `read_array` does.
    """
    phi = read_array(path)
    if phi.shape != (m, n):
        hint = "; it looks transposed" if phi.shape == (n, m) else ""
        raise QcsError(f"matrix '{path}' has shape {phi.shape}, expected (m, n) = ({m}, {n}){hint}")
    if np.linalg.matrix_rank(phi) < m:
        raise QcsError(f"matrix '{path}' has rank {np.linalg.matrix_rank(phi)} < m = {m}: its rows repeat each other")
    return phi


def _unit_columns(phi: Matrix) -> Matrix:
    return phi / np.linalg.norm(phi, axis=0)
