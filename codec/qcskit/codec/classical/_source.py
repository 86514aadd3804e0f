"""How a configured source looks to a recovery method: coefficients c in a basis, y = Φ Ψ c + n."""

import numpy as np

from qcskit.codec.classical._check import Array
from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.signal import SignalConfig, measurement_matrix


def basis(signal: SignalConfig) -> Array | None:
    """Return Ψ (N, N), orthonormal, x = Ψ c; None for the identity."""
    return None if signal.basis == "identity" else np.asarray(sparsity_basis(signal.basis, signal.n), np.float64)


def dictionary(signal: SignalConfig, phi: Array | None = None) -> Array:
    """Return Φ Ψ (M, N), what a recovery of the coefficients sees. phi: Φ if it is known already."""
    phi, psi = measurement_matrix(signal) if phi is None else phi, basis(signal)
    return phi if psi is None else phi @ psi


def analyse(signal: SignalConfig, x: Array) -> Array:
    """Return the coefficients c (frames, N) of x (frames, N)."""
    psi = basis(signal)
    return x if psi is None else x @ psi


def synthesise(signal: SignalConfig, c: Array) -> Array:
    """Return x (frames, N) of coefficients c (frames, N)."""
    psi = basis(signal)
    return c if psi is None else c @ psi.T


def require_gaussian(signal: SignalConfig, what: str) -> None:
    """Raise QcsError unless the non-zero coefficients are N(0, 1), which the exact mixture is made for."""
    if signal.source != "gaussian":
        raise QcsError(f"{what} needs [signal] source = 'gaussian', not '{signal.source}'; take an l1 or omp codec")
