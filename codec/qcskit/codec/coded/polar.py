"""Polar codes over F_p: kernel, transform, reliabilities and frozen sets.

c = u · F^{⊗s}, no bit reversal, F = [[1, 0], [γ, 1]]: with u = (u', u'') in halves, c = (c' + γ c'', c''). γ = 1 is
Arıkan's kernel, used for p = 2, 3. For p >= 5 γ = 2 polarises much faster (benchmarks/coded_recovery.py measures it).

Reliabilities are those of the decoder in use: for p = 2 exact density evolution of min-sum decoding, whose messages are
small integers because a binary symmetric channel has unit log-likelihood ratios; for p > 2 a genie-aided Monte-Carlo
run.
"""

import contextlib
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from scipy.signal import fftconvolve

from qcskit.codec.coded.sawtooth import effective_noise
from qcskit.codec.coded.theory import normal_approximation_snr_db
from qcskit.codec.errors import QcsError
from qcskit.codec.files import write_file

MAX_LENGTH = 4096
GENIE_FRAMES = 16384
_CACHE_VERSION = 2


def check_length(m: int) -> None:
    """Raise QcsError unless m is a power of two, 2 … 4096."""
    if not (2 <= m <= MAX_LENGTH and m & (m - 1) == 0):
        raise QcsError(f"m = {m}: the number of measurements must be a power of two, 2 … {MAX_LENGTH}")


def transform(u: NDArray[np.integer[Any]], p: int, gamma: int) -> NDArray[np.uint8]:
    """Return c = u · F^{⊗s} mod p for u (frames, m).

    >>> transform(np.array([[0, 0, 0, 1]]), 5, 2)
    array([[4, 2, 2, 1]], dtype=uint8)
    """
    c = np.array(u, np.int64)
    length = c.shape[1]
    check_length(length)
    half = 1
    while half < length:
        pairs = c.reshape(c.shape[0], -1, 2, half)
        pairs[:, :, 0] = (pairs[:, :, 0] + gamma * pairs[:, :, 1]) % p
        half *= 2
    return c.astype(np.uint8)


def min_sum_error_rates(m: int, error: float) -> NDArray[np.float64]:
    """Return the exact error probability (m,) of each bit under min-sum decoding with all earlier bits known, p = 2.

    error: crossover probability of the binary symmetric channel. A tie counts as half an error.
    """
    check_length(m)
    # One distribution per synthetic channel, on the integers −span … span, given that 0 was sent.
    level = [np.array([error, 0.0, 1.0 - error])]
    for _ in range(m.bit_length() - 1):
        level = [q for distribution in level for q in (_check_node(distribution), _variable_node(distribution))]
    return np.array([q[: len(q) // 2].sum() + 0.5 * q[len(q) // 2] for q in level])


def _check_node(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution of sgn(a) sgn(b) min(|a|, |b|) for independent a, b ~ q."""
    span = len(q) // 2
    plus, minus = q[span + 1 :], q[:span][::-1]  # P(a = +i), P(a = −i), i = 1 … span
    # P(a >= i) and P(a <= −i), a final 0; then the same beyond i.
    above, below = (np.concatenate([np.cumsum(side[::-1])[::-1], [0.0]]) for side in (plus, minus))
    same = above[:-1] ** 2 - above[1:] ** 2 + below[:-1] ** 2 - below[1:] ** 2
    mixed = 2 * (above[:-1] * below[:-1] - above[1:] * below[1:])
    zero = q[span] * (2.0 - q[span])
    return np.concatenate([np.maximum(mixed, 0.0)[::-1], [zero], np.maximum(same, 0.0)])


def _variable_node(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution of a + b for independent a, b ~ q."""
    return np.convolve(q, q) if len(q) < 600 else np.maximum(fftconvolve(q, q), 0.0)


def reliabilities(m: int, p: int, gamma: int, snr_db: float, frames: int = GENIE_FRAMES) -> NDArray[np.float64]:
    """Return the error probability (m,) of each symbol of u, all earlier ones known, at this SNR.

    p = 2: exact for min-sum. p > 2: mean of 1 − max posterior over `frames` noise draws with a fixed seed (needs
    numba), kept in the user's cache directory.
    """
    check_length(m)
    noise = effective_noise(p, snr_db)
    if p == 2:
        return min_sum_error_rates(m, float(noise[1]))
    name = f"v{_CACHE_VERSION}_m{m}_p{p}_gamma{gamma}_{snr_db:.6f}db_{frames}.txt"
    path = user_cache_path("qcskit") / "polar" / name
    with contextlib.suppress(OSError, ValueError):
        stored = np.loadtxt(path)
        if stored.shape == (m,):
            return stored
    from qcskit.codec.coded.sc_pary import genie_error_rates

    rates = genie_error_rates(m, p, gamma, noise, frames)
    with contextlib.suppress(QcsError):  # a read-only home, or another run at it, costs time, nothing else
        write_file(path, lambda file: np.savetxt(file, rates, "%.17g"))
    return rates


def best_positions(error_rates: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the `count` most reliable positions, ascending."""
    return np.sort(np.argsort(error_rates, kind="stable")[:count])


LIST_WEIGHT_BIAS = 1.25
"""Measured at m = 256, n = 511, k = 5, 2.8 dB: a list of 128 fails on 3.7 % of the words with it, 4.9 % without."""


def list_positions(error_rates: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return `count` positions for list decoding, ascending, p = 2: reliable ones, and few light codewords.

    A list recovers from early mistakes, so what is left to fail on are neighbours at small distance: the score is
    ln(error rate) − LIST_WEIGHT_BIAS · log2(row weight), row i of the transform having weight 2^(ones in i).
    """
    log2_weight = np.array([i.bit_count() for i in range(len(error_rates))])
    return best_positions(np.log(error_rates + 1e-12) - LIST_WEIGHT_BIAS * log2_weight, count)


@lru_cache(maxsize=64)
def design_snr_db(m: int, p: int, symbols: int) -> float:
    """Return the SNR to design for, in dB.

    p = 2: where the union bound of successive cancellation says 1 % of the codewords fail. p > 2: 1.5 dB above the
    normal approximation for `symbols` symbols (the gap measured for successive cancellation at m = 128 … 512).
    Raises QcsError if K symbols do not fit into m measurements.
    """
    if not 0 < symbols < m:
        raise QcsError(f"m = {m} measurements cannot carry {symbols} symbols; raise m above that or lower k")
    if p > 2:
        return round(normal_approximation_snr_db(m, p, symbols * math.log2(p)) + 1.5, 2)
    low, high = -5.0, 30.0
    while high - low > 0.01:
        middle = 0.5 * (low + high)
        rates = np.sort(reliabilities(m, 2, 1, middle))
        low, high = (middle, high) if rates[:symbols].sum() > 0.01 else (low, middle)
    return round(high, 2)
