"""What stays small for any number of values: distributions, and the counters of a link over time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_MAX_BINS = 80
_POINTS = 300


class Distribution:
    """Counts of non-negative integers (ticks, µs), exact until `distinct` different ones, then to 3 significant digits.

    >>> d = Distribution()
    >>> d.add([5, 1, 9, 5])
    >>> d.summary()["p50"], d.summary()["max"], d.summary()["count"]
    (5, 9, 4)
    """

    def __init__(self, distinct: int = 4096) -> None:
        self._distinct, self._rounding = distinct, False
        self._values = self._counts = np.zeros(0, np.int64)
        self.count = self._sum = self._max = 0
        self._min = np.iinfo(np.int64).max

    def add(self, values: ArrayLike) -> None:
        """Take values (any shape)."""
        array = np.asarray(values).astype(np.int64).ravel()
        self.count += array.size
        self._sum += int(array.sum())
        self._min, self._max = int(array.min(initial=self._min)), int(array.max(initial=self._max))
        self._merge(*np.unique(array, return_counts=True))
        if len(self._values) > self._distinct:
            self._rounding = True
            self._merge(self._values[:0], self._counts[:0])

    def _merge(self, values: Any, counts: Any) -> None:
        values = np.concatenate([self._values, values])
        self._values, place = np.unique(_rounded(values) if self._rounding else values, return_inverse=True)
        self._counts = np.bincount(place, np.concatenate([self._counts, counts])).astype(np.int64)

    def quantile(self, p: float) -> int:
        """Return the smallest value that at least the fraction p of all values does not exceed. Raises if empty."""
        if not self.count:
            raise ValueError("empty distribution")
        place = np.searchsorted(np.cumsum(self._counts), max(1, int(np.ceil(p * self.count))))
        return int(self._values[place].clip(self._min, self._max))

    def summary(self) -> dict[str, Any] | None:
        """Return count, min, mean, p50, p95, p99, max and a histogram (edges, counts); None if empty."""
        if not self.count:
            return None
        return {
            "count": self.count,
            "min": self._min,
            "mean": round(self._sum / self.count, 3),
            **{name: self.quantile(p) for name, p in QUANTILES.items()},
            "max": self._max,
            "histogram": self.histogram(),
        }

    def histogram(self) -> dict[str, list[float]]:
        """Return at most 81 bins: edges (bins + 1) and counts (bins).

        Equal bins from the minimum to the 99.5 % quantile; one more takes the rest up to the maximum.
        """
        low, high = self._min, self.quantile(0.995)
        edges = np.linspace(low - 0.5, high + 0.5, min(_MAX_BINS, high - low + 1) + 1)
        if self._max > high:
            edges = np.append(edges, self._max + 0.5)
        filled, _ = np.histogram(self._values.clip(edges[0], edges[-1]), edges, weights=self._counts)
        return {"edges": np.round(edges, 3).tolist(), "counts": filled.astype(int).tolist()}


class LinkSeries:
    """Answered vectors, retries and damaged stretches over time; every second point goes when it is full."""

    def __init__(self, start_s: float) -> None:
        self._start_s = self._next_s = start_s
        self._interval_s = 0.1
        self.columns: dict[str, list[float]] = {"t_s": [], "answered": [], "retries": [], "not_frames": []}

    def note(self, now_s: float, answered: int, retries: int, not_frames: int) -> None:
        """Take a point if one is due."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        row = round(now_s - self._start_s, 3), answered, retries, not_frames
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        if len(self.columns["t_s"]) >= _POINTS:
            self._interval_s *= 2
            for column in self.columns.values():
                del column[::2]


def _rounded(values: Any) -> Any:
    digits = np.floor(np.log10(np.maximum(values, 1))).astype(np.int64)
    unit = 10 ** np.maximum(digits - 2, 0)
    return values // unit * unit + unit // 2
