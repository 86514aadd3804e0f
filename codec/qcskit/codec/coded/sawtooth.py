"""The p-level sawtooth quantizer: modulo, then scalar quantization, as a definition and in integers.

Level spacing a, period p·a: q = ⌊y / a + 1/2⌋ mod p (Lee & Hong, section III). If y = a·c + z with c an integer, then
q = (c + d) mod p with d = ⌊z / a + 1/2⌋ mod p: a noise over F_p that does not depend on c. SNR here is the second
moment of the shaping cube over the noise variance, (p·a)² / 12 σ².

The device keeps a phase in 32 bits that wraps once per period: phase = count · step + offset mod 2^32,
q = ⌊phase · p / 2^32⌋: a multiply-add and a high product, no division and no branch, for any period.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from qcskit.codec.errors import QcsError

MAX_LEVELS = 251
"""Symbols are bytes and p is prime."""


def sawtooth(y: ArrayLike, spacing: float, p: int) -> NDArray[np.uint8]:
    """Return ⌊y / spacing + 1/2⌋ mod p of real measurements, the definition, as uint8 of the shape of y.

    >>> sawtooth([-0.6, -0.4, 0.4, 0.6, 2.6], 1.0, 3)
    array([2, 0, 0, 1, 0], dtype=uint8)
    """
    return (np.floor(np.asarray(y, np.float64) / spacing + 0.5) % p).astype(np.uint8)


@dataclass(frozen=True)
class Sawtooth:
    """The quantizer in integers: p levels; step and offset are uint32. Mirrored by `qcs_coded_t` in C."""

    p: int
    step: int
    offset: int

    def index(self, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return symbols (any shape) of ADC counts, each in −32768 … 32767. Raises QcsError outside int16."""
        counts = np.asarray(counts)
        if not np.issubdtype(counts.dtype, np.integer):
            raise QcsError(f"counts are {counts.dtype}; the sawtooth takes integers in int16")
        if counts.size and (int(counts.min()) < -32768 or int(counts.max()) > 32767):
            worst = int(counts.flat[int(np.argmax(np.abs(counts.astype(np.int64))))])
            raise QcsError(f"a count is {worst}, outside int16 (-32768 … 32767)")
        return self._symbols(counts.astype(np.int64))

    def _symbols(self, counts: NDArray[np.int64]) -> NDArray[np.uint8]:
        return ((((counts * self.step + self.offset) & 0xFFFFFFFF) * self.p) >> 32).astype(np.uint8)

    @property
    def period_start(self) -> int:
        """First count of symbol 0 in the period nearest to the ADC's offset."""
        wrap = 2**32 if self.offset > 2**31 else 0
        return -((self.offset - wrap) // self.step)

    def thresholds(self) -> NDArray[np.int32]:
        """Return, for the period from `period_start`, the first counts of symbols 1 … p−1, and of the next period (p,).

        Counts are relative to `period_start`.
        """
        span = math.ceil(2**32 / self.step)
        changes = np.flatnonzero(np.diff(self._symbols(self.period_start + np.arange(span + 2)))) + 1
        return changes[: self.p].astype(np.int32)


def integer_sawtooth(p: int, period: float, offset_counts: int = 0) -> Sawtooth:
    """Return the integer quantizer whose period is `period` counts and whose symbol 0 is centred on `offset_counts`.

    A period of 2^s counts is exact: all 65,536 counts agree with the definition. Any other period rounds 2^32 / period,
    which moves a threshold by less than 2^-17 periods. Raises QcsError if a level would be narrower than two counts.
    >>> integer_sawtooth(2, 4096).index(np.array([-1025, -1024, 1023, 1024]))
    array([1, 0, 0, 1], dtype=uint8)
    """
    if not 2 <= p <= MAX_LEVELS:
        raise QcsError(f"p = {p}: the sawtooth has 2 … {MAX_LEVELS} levels")
    if not (math.isfinite(period) and 2 * p <= period <= 65536):
        raise QcsError(f"sawtooth period of {period} counts: p = {p} levels need {2 * p} … 65536 counts")
    step = round(2**32 / period)
    # Rounded up: a threshold that falls exactly on a count belongs to the upper symbol, as in the definition.
    half = -(-(2**32) // (2 * p))
    return Sawtooth(p, step, (half - offset_counts * step) % 2**32)


def noise_sigma(snr_db: float, spacing: float, p: int) -> float:
    """Return the standard deviation σ at which (p·spacing)² / 12 σ² is snr_db."""
    return p * spacing / math.sqrt(12.0 * 10.0 ** (snr_db / 10.0))


def effective_noise(p: int, snr_db: float) -> NDArray[np.float64]:
    """Return the distribution (p,) of d = ⌊z / a + 1/2⌋ mod p for Gaussian z at this SNR.

    >>> np.round(effective_noise(2, 6.0), 4)
    array([0.916, 0.084])
    """
    ratio = 1.0 / noise_sigma(snr_db, 1.0, p)
    span = p * math.ceil(40.0 / (ratio * p) + 1)
    cells = np.arange(-span, span + p)
    # Use the tail that is small on either side of 0, so that no digits cancel.
    near, far = np.abs(np.abs(cells) - 0.5) * ratio, (np.abs(cells) + 0.5) * ratio
    tails = np.exp(log_ndtr(-near)) - np.exp(log_ndtr(-far))
    tails[cells == 0] = 1.0 - 2.0 * np.exp(log_ndtr(-0.5 * ratio))
    return np.bincount(cells % p, weights=tails, minlength=p).astype(np.float64)
