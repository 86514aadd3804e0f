"""What the classical decoders ask of their arguments, each refusal one line."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

Array = NDArray[np.float64]


def matrix(Phi: NDArray[np.generic]) -> Array:
    """Return Φ (M, N), M <= N, as contiguous float64. Raises QcsError unless it is finite and of full row rank.

    Its verdict is kept: a stream decoded frame by frame checks one Φ once.
    """
    phi = np.ascontiguousarray(Phi, np.float64)
    if phi.ndim != 2 or phi.shape[0] > phi.shape[1] or phi.shape[0] == 0:
        raise QcsError(f"Phi has shape {phi.shape}, expected (M, N) with M <= N")
    _regular(phi.tobytes(), phi.shape)
    return phi


@lru_cache(maxsize=32)
def _regular(content: bytes, shape: tuple[int, ...]) -> None:
    phi = np.frombuffer(content).reshape(shape)
    if not np.isfinite(phi).all():
        raise QcsError("Phi holds NaN or infinity")
    rank = int(np.linalg.matrix_rank(phi))
    if rank < phi.shape[0]:
        raise QcsError(f"Phi is singular: rank {rank} of {phi.shape[0]} rows; remove the dependent measurements")
    measured = phi.any(axis=0)
    if not measured.all():
        raise QcsError(f"Phi is singular: column {int(np.argmin(measured))} is zero, its entry cannot be measured")


def measurements(y: NDArray[np.generic], m: int) -> Array:
    """Return y (frames, M) as contiguous float64. Raises QcsError if its shape is another or it is not finite."""
    values = np.ascontiguousarray(y, np.float64)
    if values.ndim != 2 or values.shape[1] != m:
        raise QcsError(f"measurements have shape {values.shape}, expected (frames, {m})")
    if not np.isfinite(values).all():
        frame = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise QcsError(f"measurement frame {frame} holds NaN or infinity")
    return values


def sparsity(s: int, phi: Array) -> int:
    """Return S. Raises QcsError unless 1 <= S <= M."""
    if not 1 <= s <= phi.shape[0]:
        raise QcsError(f"S = {s}: the sparsity must be in 1 … M = {phi.shape[0]}")
    return s


def radius(mu: float) -> float:
    """Return μ. Raises QcsError unless it is finite and not negative."""
    if not (np.isfinite(mu) and mu >= 0):
        raise QcsError(f"mu = {mu}: the radius of the residual ball must be finite and >= 0")
    return float(mu)
