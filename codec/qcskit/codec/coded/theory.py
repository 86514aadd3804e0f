"""What the scheme can do: counts, capacities, bounds (Lee & Hong, Theorem 1, Remark 4; Polyanskiy et al. 2010)."""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from qcskit.codec.coded.field import smallest_r
from qcskit.codec.coded.sawtooth import effective_noise
from qcskit.codec.errors import QcsError


def capacity_bits(p: int, snr_db: float) -> float:
    """Return log2 p − H(d) in bits per measurement: capacity of the additive channel over F_p after the sawtooth."""
    return max(0.0, math.log2(p) + _log2_moments(p, snr_db)[0])


def dispersion_bits2(p: int, snr_db: float) -> float:
    """Return the channel dispersion, the variance of log2 P(d), in bits²."""
    mean, mean_square = _log2_moments(p, snr_db)
    return mean_square - mean**2


def _log2_moments(p: int, snr_db: float) -> tuple[float, float]:
    """Return mean and mean square of log2 P(d)."""
    pmf = effective_noise(p, snr_db)
    pmf = pmf[pmf > 0]
    return float((pmf * np.log2(pmf)).sum()), float((pmf * np.log2(pmf) ** 2).sum())


def theorem1_measurements(p: int, n: int, k: int, snr_db: float, r: int | None = None) -> float:
    """Return 2k·r·log2 p / (log2 p − H(d)), the measurements above which recovery succeeds as m grows (Theorem 1).

    >>> round(theorem1_measurements(2, 511, 5, 60.0))
    90
    """
    capacity = capacity_bits(p, snr_db)
    return noiseless_measurements(p, n, k, r) * math.log2(p) / capacity if capacity > 0 else math.inf


def noiseless_measurements(p: int, n: int, k: int, r: int | None = None) -> int:
    """Return 2k·r, the measurements that suffice without noise (Remark 4; one-bit measurements for p = 2)."""
    return 2 * k * (smallest_r(p, n) if r is None else r)


def source_bits(p: int, n: int, k: int) -> float:
    """Return log2 of the number of x in F_p^n with at most k non-zero entries: what any scheme must convey.

    >>> round(source_bits(2, 511, 5), 2)
    38.06
    """
    return math.log2(sum(math.comb(n, i) * (p - 1) ** i for i in range(k + 1)))


def normal_approximation_error(m: int, p: int, bits: float, snr_db: float) -> float:
    """Return the error probability of the best code of length m for `bits` bits, by the normal approximation.

    Q((m C − bits + ½ log2 m) / √(m V)), Polyanskiy, Poor, Verdú 2010, eq. (223) and Theorem 52.
    """
    capacity, dispersion = capacity_bits(p, snr_db), dispersion_bits2(p, snr_db)
    if dispersion <= 0:
        return 0.0 if m * capacity > bits else 1.0
    return float(norm.sf((m * capacity - bits + 0.5 * math.log2(m)) / math.sqrt(m * dispersion)))


def normal_approximation_snr_db(m: int, p: int, bits: float, error: float = 0.01) -> float:
    """Return the SNR in dB at which the normal approximation reaches `error`. Raises QcsError if no SNR does.

    >>> round(normal_approximation_snr_db(256, 2, source_bits(2, 511, 5)), 2)
    3.06
    """
    if m * math.log2(p) <= bits:
        raise QcsError(f"{bits:.1f} bits do not fit into m = {m} measurements of {p} levels; raise m or lower k")

    def gap(snr_db: float) -> float:
        return normal_approximation_error(m, p, bits, snr_db) - error

    if gap(40.0) > 0:
        raise QcsError(f"{bits:.1f} bits in m = {m} measurements of {p} levels need more than 40 dB; raise m")
    return float(brentq(gap, -20.0, 40.0, xtol=1e-4))
