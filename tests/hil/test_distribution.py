"""Quantiles and histograms against NumPy."""

import numpy as np
import pytest

from qcskit.hil.distribution import Distribution


def test_distributions_against_numpy() -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(9, 1.5, 200_000).astype(np.int64)
    exact, rounded = Distribution(distinct=10**6), Distribution(distinct=100)
    for part in np.array_split(values, 17):
        exact.add(part)
        rounded.add(part)
    for p in (0.5, 0.95, 0.99):
        wanted = np.quantile(values, p, method="inverted_cdf")
        assert exact.quantile(p) == wanted
        assert rounded.quantile(p) == pytest.approx(wanted, rel=0.01)
    summary = rounded.summary()
    assert summary is not None
    assert (summary["min"], summary["max"], summary["count"]) == (values.min(), values.max(), 200_000)
    histogram = summary["histogram"]
    assert sum(histogram["counts"]) == 200_000
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 <= 82
