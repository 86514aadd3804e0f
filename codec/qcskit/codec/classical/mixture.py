"""The exact MMSE estimate of an S-sparse Gaussian source: a mixture over all supports, and the floor it sets."""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from qcskit.codec.classical import _check
from qcskit.codec.classical._check import Array
from qcskit.codec.classical._source import dictionary, require_gaussian
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames

MAX_SUPPORTS = 200_000
"""C(N, S) beyond which the exact mixture is refused: a chunk of frames would not fit a small machine's memory."""
CHUNK_ENTRIES = 4_000_000


@lru_cache(maxsize=8)
def supports(n: int, s: int) -> NDArray[np.intp]:
    """Return all supports (C(n, s), s), each ascending. Raises QcsError beyond MAX_SUPPORTS.

    >>> supports(3, 2).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    count = math.comb(n, s)
    if count > MAX_SUPPORTS:
        raise QcsError(f"the exact mixture needs C({n}, {s}) = {count} supports, at most {MAX_SUPPORTS}; lower N or S")
    return np.array(list(itertools.combinations(range(n), s)), np.intp)


def mixture_mmse(
    y: NDArray[np.generic], Phi: NDArray[np.generic], s: int, noise_variance: float
) -> tuple[Array, Array]:
    """Return the posterior mean x_hat (frames, N) of x given y (frames, M), and its posterior variance (frames,).

    The variance is summed over the entries of x.

    The source is `signal.draw_sparse`'s: a uniform support of S entries, each N(0, 1); y = Φ x + n, n white Gaussian.
    Given a support T, with b = Φ_Tᵀ y and K = Φ_Tᵀ Φ_T + σ² I: E[x_T | y, T] = K⁻¹ b, covariance σ² K⁻¹, and
    log p(y | T) = bᵀ K⁻¹ b / 2σ² − log det K / 2 + const. All C(N, S) supports are summed over, so the mean is exact.
    Raises QcsError if C(N, S) is too large, σ² is not positive, or a shape does not fit.
    """
    phi = _check.matrix(Phi)
    values = _check.measurements(y, len(phi))
    if not (np.isfinite(noise_variance) and noise_variance > 0):
        raise QcsError(f"noise_variance = {noise_variance}: the mixture needs a positive noise variance")
    sets = supports(phi.shape[1], _check.sparsity(s, phi))
    gram = phi.T @ phi
    inner = gram[sets[:, :, None], sets[:, None, :]] + noise_variance * np.eye(s)
    inverse = np.linalg.inv(inner)
    log_weight = -0.5 * np.linalg.slogdet(inner)[1]
    trace = noise_variance * np.trace(inverse, axis1=1, axis2=2)
    x_hat, variance = np.zeros((len(values), phi.shape[1])), np.zeros(len(values))
    chunk = max(1, CHUNK_ENTRIES // (len(sets) * s))
    for i in range(0, len(values), chunk):
        part = slice(i, i + chunk)
        b = (values[part] @ phi)[:, sets.T]  # (frames, S, supports): sums over S run along contiguous supports
        mean = np.zeros_like(b)
        for row, column in itertools.product(range(s), range(s)):
            mean[:, row] += inverse[:, row, column] * b[:, column]
        log_p = (b * mean).sum(axis=1) / (2 * noise_variance) + log_weight
        p = softmax(log_p, axis=1)
        weighted = mean * p[:, None, :]
        for place in range(s):
            x_hat[part] += weighted[:, place] @ _indicator(phi.shape[1], s, place)
        second = (p * ((mean**2).sum(axis=1) + trace)).sum(axis=1)
        variance[part] = second - (x_hat[part] ** 2).sum(axis=1)
    return x_hat, variance


@lru_cache(maxsize=32)
def _indicator(n: int, s: int, place: int) -> Array:
    """Return (supports, n): 1 where the entry at `place` of a support is."""
    sets = supports(n, s)
    table = np.zeros((len(sets), n))
    table[np.arange(len(sets)), sets[:, place]] = 1.0
    return table


@dataclass(frozen=True)
class Floor:
    """The least NMSE any decoder of unquantized measurements reaches, with the standard error of its estimate."""

    nmse_db: float
    standard_error_db: float
    frames: int


def mmse_floor(signal: SignalConfig, frames: int = 20_000, seed: int = 0) -> Floor:
    """Return the MMSE floor of `signal`: E[posterior variance] / S in dB, averaged over `frames` drawn measurements.

    The posterior variance is exact (`mixture_mmse`); only its average over y is a Monte Carlo one.
    Raises QcsError as `mixture_mmse` does.
    """
    require_gaussian(signal, "the MMSE floor")
    y = draw_frames(signal, frames, seed)[1]
    variance = mixture_mmse(y, dictionary(signal), signal.s, signal.noise_variance)[1] / signal.s
    mean = float(variance.mean())
    relative = float(variance.std(ddof=1)) / math.sqrt(frames) / mean
    return Floor(10 * math.log10(mean), 10 / math.log(10) * relative, frames)
