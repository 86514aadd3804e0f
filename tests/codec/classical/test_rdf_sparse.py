"""The bound below which no code gets: against closed forms, Blahut–Arimoto, and K anywhere in R^N."""

import math
from typing import Any

import numpy as np
import pytest

from qcskit.codec.classical import rdf_sparse as room
from qcskit.codec.classical.rdf import blahut_arimoto
from qcskit.codec.classical.rdf_sparse import SparseBound, sparse_bound
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, measurement_matrix


def source(n: int, m: int, s: int, **keys: Any) -> SignalConfig:
    return SignalConfig(n=n, m=m, s=s, basis="dct", **({"noise_variance": 0.0} | keys))


@pytest.mark.parametrize("s", [1, 2])
def test_without_a_choice_of_places_it_is_the_gaussian_function(s: int) -> None:
    """D = 2^(−2R), from below: 10 log10 D = −6.02 R."""
    bound = sparse_bound(source(s, s, s, matrix="identity"), [2.0, 32.0])
    for rate in (1.0, 3.0):
        exact = -20 * math.log10(2) * rate
        assert exact - 0.07 < bound.nmse_db(rate) <= exact


def test_noise_stays_in_what_is_lost() -> None:
    """y = x + n of one coefficient: D = mmse + (1 − mmse) 2^(−2R)."""
    bound = sparse_bound(source(1, 1, 1, matrix="identity", noise_variance=0.01), [2.02, 8.08])
    mmse = 0.01 / 1.01
    assert bound.genie == pytest.approx(mmse)
    for rate in (1.0, 2.0):
        exact = 10 * math.log10(mmse + (1 - mmse) * 4.0**-rate)
        assert exact - 0.1 < bound.nmse_db(rate) <= exact
    assert bound.nmse_db(50.0) == pytest.approx(10 * math.log10(mmse))


@pytest.mark.parametrize("slope", [1.0, 4.0])
def test_where_the_place_is_not_known_it_is_as_high_as_blahut_and_arimoto_get(slope: float) -> None:
    """Of one non-zero among two, on grids of the axes and of the plane."""
    step = 0.17 / math.sqrt(slope)
    a = np.arange(-3.6, 3.6, step)
    a -= a.mean()
    weights = np.tile(np.exp(-(a**2) / 2), 2)
    letters = np.concatenate([np.stack([a, 0 * a], axis=1), np.stack([0 * a, a], axis=1)])
    side = step * 1.5 * np.arange(-round(2.1 / step), round(2.1 / step) + 1)
    codewords = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    squared = ((letters[:, None] - codewords) ** 2).sum(axis=2)
    found = blahut_arimoto(squared, slope, weights / weights.sum(), passes=200, tolerance_bits=1e-3)
    exact = found.rate_bits * math.log(2) + slope * found.distortion
    ((_, height),) = sparse_bound(source(2, 2, 1, matrix="identity"), [slope]).tangents
    assert exact - 0.02 < height <= exact


@pytest.mark.parametrize("s", [1, 2])
def test_k_is_nowhere_above_the_maximum_that_is_taken(s: int) -> None:
    """Of any μ, at points of R^5 with 0 to 5 entries that are not 0, by the definition: pair by pair."""
    n, slope, rng = 5, 6.0, np.random.default_rng(4)
    sums = room._sum(slope, np.ones(1), 0.05)
    log_mu = sums.spline @ rng.normal(0, 0.3, sums.spline.shape[1]) + 0.3 * np.minimum(sums.a, 2) ** 2
    most = room._log_maximum(sums, log_mu, source(n, n, s, matrix="identity"))
    mu = np.exp(log_mu)
    z = rng.normal(0, 1, (400, n)) * (rng.random((400, n)) < rng.random((400, 1)))
    z[:100, 2:], z[0] = 0, 0
    values = sums.q(z.ravel(), mu).reshape(z.shape)
    kept = np.exp(-slope * z**2)
    highest = []
    for q, p in zip(values, kept, strict=True):
        if s == 1:
            highest.append(np.mean([q[i] * np.delete(p, i).prod() for i in range(n)]))
        else:
            both = [q[i] * q[j] * np.delete(p, [i, j]).prod() for i in range(n) for j in range(i)]
            highest.append(np.mean(both))
    assert np.log(max(highest)) <= most
    assert most - np.log(max(highest)) < 0.7  # nor is it far above


@pytest.mark.parametrize("place", [1.95, 6.5])
def test_a_peak_between_the_points_of_the_grid_or_beyond_it_counts(
    place: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a μ that is a peak at `place`, K is highest with both entries there; this grid steps by 0.43 and ends at 6."""
    monkeypatch.setattr(room, "_FINE", 1.5)
    slope = 6.0
    sums = room._sum(slope, np.ones(1), 0.05)
    log_mu = np.where(np.abs(sums.a - place) < 0.03, 0.0, -60.0)
    most = room._log_maximum(sums, log_mu, source(2, 2, 2, matrix="identity"))
    (q,) = sums.q(np.array([place]), np.exp(log_mu))
    assert math.log(q**2) <= most


def test_zeroing_more_than_s_entries_is_paid_for() -> None:
    """Of a μ at one place A, r = cosh(2 s A z); Ψ of N = 20, S = 2 with its polynomials written out."""
    slope, places = 6.0, np.linspace(0, 0.7, 2000)
    sums = room._sum(slope, np.ones(1), 0.01)
    peak, signal = np.where(np.abs(sums.a - 1.5) < 0.004, 1.0, 0.0), source(20, 20, 2, matrix="identity")
    r = np.cosh(2 * slope * 1.5 * places)
    psi = np.exp(-slope * places**2) * (3 * r**2 + 51 * r + 136) / (r**2 + 36 * r + 153)
    exact = 18 * math.log(psi.max())
    assert exact < room._zeroing(sums, peak, signal) < exact + 1.5
    assert exact > 3
    assert room._zeroing(sums, np.ones_like(peak), signal) < 0.01


def test_variances_below_1_are_paid_for() -> None:
    """Of one coefficient behind noise of its own strength: R + s D of variance 1/2 is ½ log(2 s / 2) + ½ at least."""
    ((slope, height),) = sparse_bound(source(1, 1, 1, matrix="identity", noise_variance=1.0), [4.0]).tangents
    exact = 0.5 * math.log(slope) + 0.5
    assert exact - 0.35 < height <= exact


def test_the_issue_s_source_is_enclosed_within_a_decibel() -> None:
    """−22.88, −31.75 dB suffice at these rates (benchmarks/sparse.py --only limit)."""
    bound = sparse_bound(SignalConfig(n=20, m=10, s=2), [128.0, 1024.0])
    for rate, enough in ((0.717, -22.88), (0.9074, -31.75)):
        assert enough - 1.0 < bound.nmse_db(rate) < enough - 0.2


def test_what_the_encoder_is_told_is_the_support_and_no_more() -> None:
    """MMSE and variances of y = Φ x + n on each support, from the covariance of x and y."""
    signal = source(6, 4, 2, matrix="gaussian", noise_variance=0.03)
    phi = np.asarray(room.dictionary(signal))
    lost, variances, det = room._told_the_support(phi, 2, 0.03)
    left, kept = [], []
    for i in range(6):
        for j in range(i + 1, 6):
            own = phi[:, [i, j]]
            gain = own.T @ np.linalg.inv(own @ own.T + 0.03 * np.eye(4)) @ own
            left.append(2 - np.trace(gain))
            kept.append(gain)
    assert lost == pytest.approx(np.mean(left))
    np.testing.assert_allclose(variances.reshape(-1, 2), [np.diag(gain) for gain in kept], atol=1e-12)
    assert det == pytest.approx(min(np.linalg.det(gain) for gain in kept))
    assert measurement_matrix(signal).shape == (4, 6)


@pytest.mark.parametrize(
    ("keys", "slope", "told"),
    [
        ({"s": 3}, 1.0, r"\[signal\] s = 3: the bound is for s <= 2"),
        ({"source": "signs"}, 1.0, "the bound"),
        ({}, 0.0, "slope = 0.0, must be positive"),
        ({}, math.inf, "slope = inf, must be positive"),
    ],
)
def test_what_it_does_not_hold_for_is_one_line(keys: dict[str, Any], slope: float, told: str) -> None:
    with pytest.raises(QcsError, match=told) as caught:
        sparse_bound(source(8, 6, **({"s": 2} | keys)), [slope])
    assert "\n" not in str(caught.value)


def test_the_best_tangent_counts_and_nothing_is_below_what_no_code_needs() -> None:
    bound = SparseBound(SignalConfig(n=10, m=5, s=2), 0.02, ((1.0, 10 * math.log(2)), (4.0, 12 * math.log(2))))
    for rate, least in ((0.5, max(5, 7 / 4)), (1.0, max(0, 2 / 4)), (3.0, 0.0)):
        assert bound.nmse_db(rate) == pytest.approx(10 * math.log10((0.02 + least * math.log(2)) / 2))
