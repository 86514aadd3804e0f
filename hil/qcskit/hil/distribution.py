"""Distributions that stay small for any number of values: exact counts of rounded integers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_MAX_BINS = 80


class Distribution:
    """Counts of non-negative integers (ticks, µs), exact until `distinct` different ones, then to 3 significant digits.

    >>> d = Distribution()
    >>> d.add([5, 1, 9, 5])
    >>> d.summary()["p50"], d.summary()["max"], d.summary()["count"]
    (5, 9, 4)
    """

    def __init__(self, distinct: int = 4096) -> None:
        self._distinct = distinct
        self._counts: dict[int, int] = {}
        self._rounding = False
        self.count = 0
        self._sum = 0
        self._min: int | None = None
        self._max = 0

    def add(self, values: ArrayLike) -> None:
        """Take values (any shape)."""
        array = np.asarray(values).astype(np.int64).ravel()
        if not array.size:
            return
        low, high = int(array.min()), int(array.max())
        self._min = low if self._min is None else min(self._min, low)
        self._max = max(self._max, high)
        self.count += array.size
        self._sum += int(array.sum())
        self._tally(*np.unique(_rounded(array) if self._rounding else array, return_counts=True))
        if len(self._counts) > self._distinct and not self._rounding:
            self._rounding = True
            old, self._counts = self._counts, {}
            self._tally(_rounded(np.fromiter(old, np.int64)), np.fromiter(old.values(), np.int64))

    def _tally(self, values: Any, counts: Any) -> None:
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count

    def quantile(self, p: float) -> int:
        """Return the smallest value that at least the fraction p of all values does not exceed. Raises if empty."""
        if not self.count:
            raise ValueError("empty distribution")
        wanted, seen = max(1, int(np.ceil(p * self.count))), 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= wanted:
                return min(max(value, self._min or 0), self._max)
        return self._max

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
        low, high = float(self._min or 0), float(self.quantile(0.995))
        bins = int(min(_MAX_BINS, max(1, high - low + 1)))
        edges = low - 0.5 + (high - low + 1) / bins * np.arange(bins + 1)
        if self._max > high:
            edges = np.append(edges, self._max + 0.5)
        values, counts = np.fromiter(self._counts, np.float64), np.fromiter(self._counts.values(), np.float64)
        filled, _ = np.histogram(values.clip(edges[0], edges[-1]), edges, weights=counts)
        return {"edges": np.round(edges, 3).tolist(), "counts": filled.astype(int).tolist()}


def _rounded(values: Any) -> Any:
    digits = np.floor(np.log10(np.maximum(values, 1))).astype(np.int64)
    unit = 10 ** np.maximum(digits - 2, 0)
    return values // unit * unit + unit // 2
