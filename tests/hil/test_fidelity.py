"""Figures added up segment by segment, against those of `codec.metrics.fidelity` on all windows at once."""

from typing import Any

import numpy as np
import pytest

from qcskit.codec.metrics import fidelity
from qcskit.hil import fidelity as module
from qcskit.hil.fidelity import RunningFidelity

MEAN = 12_000.0


def added(x: Any, x_hat: Any, step: int = 70) -> RunningFidelity:
    found = RunningFidelity(MEAN)
    for start in range(0, len(x), step):
        found.add(x[start : start + step], x_hat[start : start + step])
    return found


def windows(count: int = 2001, distinct: int = 300) -> tuple[Any, Any]:
    """Windows (count, 8) about MEAN of which so many are different, and estimates whose errors differ widely."""
    rng = np.random.default_rng(1)
    pool = MEAN + 50 * rng.standard_normal((distinct, 8)) + 30 * rng.standard_normal((distinct, 1))
    x = pool[np.arange(count) % distinct]
    return x, x + rng.lognormal(0, 2, (count, 1)) * rng.standard_normal((count, 8))


def test_every_figure_is_that_of_all_windows_at_once() -> None:
    x, x_hat = windows()
    found, whole = added(x, x_hat).figures().model_dump(), fidelity(x, x_hat, MEAN).model_dump()
    for name in ("median_db", "p95_db", "worst_db"):
        assert found.pop(name) == pytest.approx(whole.pop(name), abs=0.0051)
    assert found == pytest.approx(whole)
    assert found["distinct"] == 300


def test_what_is_flagged_counts_as_an_estimate_of_the_mean() -> None:
    x, x_hat = windows(50)
    flagged, mean = x_hat.copy(), x_hat.copy()
    flagged[7], mean[7] = np.nan, MEAN
    assert added(x, flagged).figures() == added(x, mean).figures()


def test_without_any_error_or_window_there_are_no_decibels() -> None:
    x, _ = windows(50)
    for found in (added(x, x).figures(), RunningFidelity(MEAN).figures()):
        assert (found.nmse_db, found.median_db, found.worst_db, found.largest_error) == (None, None, None, 0.0)


def test_a_window_without_energy_has_no_nmse_of_its_own() -> None:
    x, x_hat = windows(51)
    flat = np.full((49, 8), MEAN)
    found = added(np.concatenate([x, flat]), np.concatenate([x_hat, flat + 1]))
    assert found.figures().median_db == added(x, x_hat).figures().median_db


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Different windows are counted up to a limit, and the distribution of single ones has a fixed range."""
    monkeypatch.setattr(module, "MOST_DISTINCT", 100)
    x, x_hat = windows(2000, 2000)
    found = added(x, x_hat)
    assert found.figures().distinct == 100
    assert len(found._seen) < 170
    assert added(x[:60], x_hat[:60]).figures().distinct == 60
    assert added(x[:50], x[:50] * 1e30).figures().worst_db == 100.0


def test_what_the_rounding_of_doubles_leaves_is_no_error() -> None:
    x = MEAN + 0.005 * np.arange(-4000, 4000).reshape(-1, 8)
    found = added(x, np.nextafter(x, np.inf)).figures()
    assert (found.nmse_db, found.window_nmse_db, found.largest_error) == (None, None, 0.0)
    assert found.exact
