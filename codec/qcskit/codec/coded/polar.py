"""Polar codes over F_p: kernel, transform, reliabilities and frozen sets.

c = u · F^{⊗s}, no bit reversal, F = [[1, 0], [γ, 1]]: with u = (u', u'') in halves, c = (c' + γ c'', c''). γ = 1 is
Arıkan's kernel, used for p = 2, 3. For p >= 5 γ = 2 polarises much faster (benchmarks/coded_recovery.py measures it).

Reliabilities are those of the decoder in use: for p = 2 exact density evolution of min-sum decoding, whose messages are
small integers because a binary symmetric channel has unit log-likelihood ratios; for p > 2 a genie-aided Monte-Carlo
run.
"""

import contextlib
import hashlib
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from scipy.signal import fftconvolve

from qcskit.codec.bundle import write_file
from qcskit.codec.coded.sawtooth import effective_noise
from qcskit.codec.coded.theory import normal_approximation_snr_db
from qcskit.codec.errors import QcsError

MAX_LENGTH = 4096
GENIE_FRAMES = 16384
_CACHE_VERSION = 1


def kernel_gamma(p: int) -> int:
    """Return γ of the kernel [[1, 0], [γ, 1]] that this alphabet uses by default.

    >>> [kernel_gamma(p) for p in (2, 3, 5, 7)]
    [1, 1, 2, 2]
    """
    return 1 if p <= 3 else 2


def check_length(m: int) -> int:
    """Return s = log2 m. Raises QcsError unless m is a power of two, 2 … 4096."""
    if not (2 <= m <= MAX_LENGTH and m & (m - 1) == 0):
        raise QcsError(f"m = {m}: the number of measurements must be a power of two, 2 … {MAX_LENGTH}")
    return m.bit_length() - 1


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


def generator(info: NDArray[np.integer[Any]], m: int, p: int, gamma: int) -> NDArray[np.uint8]:
    """Return G (m, K): column j is the codeword of a 1 at information position info[j]."""
    units = np.zeros((len(info), m), np.uint8)
    units[np.arange(len(info)), info] = 1
    return transform(units, p, gamma).T.copy()


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
    above_plus, above_minus = _tail(plus), _tail(minus)
    at_least, beyond = slice(0, span), slice(1, span + 1)
    same = above_plus[at_least] ** 2 - above_plus[beyond] ** 2 + above_minus[at_least] ** 2 - above_minus[beyond] ** 2
    mixed = 2 * (above_plus[at_least] * above_minus[at_least] - above_plus[beyond] * above_minus[beyond])
    zero = q[span] * (2.0 - q[span])
    return np.concatenate([np.maximum(mixed, 0.0)[::-1], [zero], np.maximum(same, 0.0)])


def _tail(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums from each entry to the end, and a final 0."""
    return np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])


def _variable_node(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution of a + b for independent a, b ~ q."""
    total: NDArray[np.float64] = np.convolve(q, q) if len(q) < 600 else np.maximum(fftconvolve(q, q), 0.0)
    return total


def reliabilities(m: int, p: int, gamma: int, snr_db: float, frames: int = GENIE_FRAMES) -> NDArray[np.float64]:
    """Return the error probability (m,) of each symbol of u, all earlier ones known, at this SNR.

    p = 2: exact for min-sum. p > 2: mean of 1 − max posterior over `frames` noise draws with a fixed seed (needs
    numba), kept in the user's cache directory.
    """
    check_length(m)
    noise = effective_noise(p, snr_db)
    if p == 2:
        return min_sum_error_rates(m, float(noise[1]))
    key: dict[str, object] = {
        "version": _CACHE_VERSION,
        "m": m,
        "p": p,
        "gamma": gamma,
        "snr_db": round(snr_db, 6),
        "frames": frames,
    }
    path = _cache_file(key)
    stored = _read_cache(path, key)
    if stored is not None:
        return stored
    from qcskit.codec.coded.sc_pary import genie_error_rates

    rates = genie_error_rates(m, p, gamma, noise, frames)
    with contextlib.suppress(OSError):  # a read-only home costs time, nothing else
        write_file(path, lambda staging: _write_json(staging, {**key, "error_rates": rates.tolist()}))
    return rates


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _cache_file(key: dict[str, object]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return user_cache_path("qcskit") / "polar" / f"{digest}.json"


def _read_cache(path: Path, key: dict[str, object]) -> NDArray[np.float64] | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        rates = np.array(stored.pop("error_rates"), np.float64)
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return rates if stored == key and rates.shape == (key["m"],) else None


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
