"""How close comes what a board sent: the figures of `codec.metrics.Fidelity`, added up; memory does not grow."""

import numpy as np

from qcskit.codec.interface import Array
from qcskit.codec.metrics import Fidelity, decibels, difference
from qcskit.hil.distribution import Distribution

MOST_DISTINCT = 100_000
"""Different windows are counted up to here."""
_LOW_DB, _HIGH_DB, _STEPS_PER_DB = -200.0, 100.0, 100
"""The NMSE of single windows is told in steps of 0.01 dB; from -200 dB down it is none."""


class RunningFidelity:
    """The figures of estimates of x in units. mean: of the training part, in units."""

    def __init__(self, mean: float) -> None:
        self._mean = mean
        self._seen: set[int] = set()
        self._single = Distribution(int((_HIGH_DB - _LOW_DB) * _STEPS_PER_DB) + 1)
        self._error = self._energy = self._own = self._raw = self._largest = 0.0

    def squared_error(self, x: Array, x_hat: Array) -> Array:
        """Return the error of each window (windows,); what is flagged (NaN) counts as an estimate of the mean."""
        return np.asarray((difference(x, x_hat, self._mean) ** 2).sum(axis=1))

    def add(self, x: Array, x_hat: Array) -> tuple[float, float]:
        """Take windows and their estimates, both (windows, N); return their error, and their energy about the mean."""
        error, energy = self.squared_error(x, x_hat), ((x - self._mean) ** 2).sum(axis=1)
        self._error += float(error.sum())
        self._energy += float(energy.sum())
        self._own += float(((x - x.mean(axis=1, keepdims=True)) ** 2).sum())
        self._raw += float((x**2).sum())
        self._largest = max(self._largest, float(np.abs(difference(x, x_hat, self._mean)).max(initial=0.0)))
        self._note_single(error[energy > 0], energy[energy > 0])
        if len(self._seen) < MOST_DISTINCT:
            self._seen.update(hash(window.tobytes()) for window in x)
        return float(error.sum()), float(energy.sum())

    def _note_single(self, error: Array, energy: Array) -> None:
        with np.errstate(divide="ignore"):
            single = 10.0 * np.log10(error / energy)
        self._single.add(np.rint((single.clip(_LOW_DB, _HIGH_DB) - _LOW_DB) * _STEPS_PER_DB))

    def nmse_db(self, error: float) -> float | None:
        """Return the NMSE that another squared error on the same windows makes."""
        return decibels(error, self._energy)

    def figures(self) -> Fidelity:
        """Return what was found so far."""
        pooled = decibels(self._error, self._energy)
        median, p95, worst = (self._quantile(p) for p in (0.5, 0.95, 1.0))
        return Fidelity(
            distinct=min(len(self._seen), MOST_DISTINCT), nmse_db=pooled, snr_db=None if pooled is None else -pooled,
            window_nmse_db=decibels(self._error, self._own),
            prd_percent=100.0 * float(np.sqrt(self._error / self._raw)) if self._raw > 0 else None,
            largest_error=self._largest, median_db=median, p95_db=p95, worst_db=worst,
        )  # fmt: skip

    def _quantile(self, p: float) -> float | None:
        """Return a quantile of the NMSE of single windows; None if there is no window, or no error."""
        steps = self._single.quantile(p) if self._single.count else 0
        return steps / _STEPS_PER_DB + _LOW_DB if steps else None
