"""Figures of merit against their definitions, window by window in plain Python."""

import math

import numpy as np
import pytest

from qcskit.codec.metrics import decibels, fidelity, nmse_db


def db(ratio: float) -> float:
    return 10 * math.log10(ratio)


def test_fidelity_is_its_definitions() -> None:
    rng = np.random.default_rng(0)
    x = 12_000 + 300 * rng.standard_normal((201, 8))
    x_hat, mean = x + rng.standard_normal(x.shape) * rng.uniform(1, 30, (201, 1)), 11_950.0
    found = fidelity(np.concatenate([x, x]), np.concatenate([x_hat, x_hat]), mean)
    errors = [sum((a - b) ** 2 for a, b in zip(*rows, strict=True)) for rows in zip(x, x_hat, strict=True)]
    about_mean = [sum((a - mean) ** 2 for a in row) for row in x]
    own = [sum((a - sum(row) / 8) ** 2 for a in row) for row in x]
    single = sorted(2 * [db(error / energy) for error, energy in zip(errors, about_mean, strict=True)])
    assert found.distinct == 201
    assert found.nmse_db == pytest.approx(db(sum(errors) / sum(about_mean)))
    assert found.snr_db == -found.nmse_db
    assert found.window_nmse_db == pytest.approx(db(sum(errors) / sum(own)))
    assert found.prd_percent == pytest.approx(100 * math.sqrt(sum(errors) / (x**2).sum()))
    assert found.largest_error == np.abs(x - x_hat).max()
    assert found.median_db == pytest.approx(single[200])
    assert found.worst_db == pytest.approx(single[-1])
    assert found.p95_db == pytest.approx(single[round(0.95 * 401)])


def test_the_mean_flatters_and_the_window_does_not() -> None:
    """A constant guess of each window's mean: good about the training mean, 0 dB about its own."""
    x = np.arange(0.0, 1000, 50)[:, None] + np.array([-1, 1, -1, 1, -1, 1])
    found = fidelity(x, np.repeat(x.mean(axis=1, keepdims=True), 6, axis=1), x.mean())
    assert found.nmse_db < -40
    assert found.window_nmse_db == pytest.approx(0)


@pytest.mark.parametrize(
    ("x", "x_hat", "none"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], {"nmse_db", "window_nmse_db", "snr_db", "median_db", "p95_db", "worst_db"}),
        ([[0.0, 0.0]], [[0.0, 0.0]],
         {"nmse_db", "window_nmse_db", "snr_db", "median_db", "p95_db", "worst_db", "prd_percent"}),
        ([[3.0, 3.0]], [[3.0, 2.0]], {"window_nmse_db"}),
        (np.empty((0, 4)), np.empty((0, 4)),
         {"nmse_db", "window_nmse_db", "snr_db", "median_db", "p95_db", "worst_db", "prd_percent"}),
    ],
)  # fmt: skip
def test_what_has_no_figure_is_none(x: object, x_hat: object, none: set[str]) -> None:
    found = fidelity(x, x_hat).model_dump(mode="json")
    assert {name for name, value in found.items() if value is None} == none


def test_windows_without_energy_have_no_figure_of_their_own_and_count_in_the_pool() -> None:
    found = fidelity([[5.0, 5.0], [6.0, 5.0]], [[5.0, 6.0], [6.0, 5.5]], mean=5.0)
    assert found.worst_db == found.median_db == pytest.approx(db(0.25))
    assert found.nmse_db == pytest.approx(db(1.25))


def test_decibels_of_nothing_are_none() -> None:
    assert decibels(1.0, 100.0) == pytest.approx(-20)
    assert decibels(0.0, 1.0) is decibels(1.0, 0.0) is None


@pytest.mark.parametrize(
    ("x", "x_hat", "told"),
    [
        (np.ones((2, 3)), np.ones((2, 2)), "they must be equal"),
        (np.zeros((2, 3)), np.ones((2, 3)), "zero everywhere"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), "NaN or infinity"),
    ],
)
def test_an_nmse_that_is_not_defined_is_refused(x: np.ndarray, x_hat: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        nmse_db(x, x_hat)
    assert nmse_db(np.ones((2, 3)), np.ones((2, 3))) == -math.inf


def test_what_the_rounding_of_doubles_leaves_is_no_error() -> None:
    """Counts on the way to a codec's own scale and back: exact, at any offset; a step of the finest ADC is not."""
    counts = np.arange(-32768, 32768).reshape(-1, 8)
    for offset, scale in ((0.0, 1.0), (1234.5, 0.07), (-1e-3, 3e-5)):
        x, own = counts * 0.005, (counts * 0.005 - offset) / scale
        found = fidelity(x, offset + scale * own, 3.0)
        assert (found.nmse_db, found.window_nmse_db, found.largest_error, found.worst_db) == (None, None, 0.0, None)
        assert found.exact
        assert found.describe("mV") == "exact, 8,192 distinct windows"
    x_hat = x.copy()
    x_hat[0, 0] += 0.005
    assert not fidelity(x, x_hat).exact
    assert fidelity(x, x_hat).largest_error == pytest.approx(0.005)


def test_what_is_flagged_counts_as_the_mean_of_the_training_part() -> None:
    x = np.arange(24.0).reshape(6, 4)
    flagged, mean = x + 0.5, x + 0.5
    flagged[2], mean[2] = np.nan, 3.0
    assert fidelity(x, flagged, 3.0) == fidelity(x, mean, 3.0)
    assert not fidelity(x, np.full_like(x, np.nan)).exact
