"""BPDN, OMP, the cell-consistent program and the exact mixture against solvers and sums written by others."""

import itertools

import clarabel
import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
from scipy.stats import multivariate_normal
from sklearn.linear_model import orthogonal_mp

from qcskit.codec import jit
from qcskit.codec.classical import consistent
from qcskit.codec.classical._source import dictionary
from qcskit.codec.classical.consistent import consistent_l1
from qcskit.codec.classical.l1 import bpdn, bpdn_path
from qcskit.codec.classical.mixture import mixture_mmse, mmse_floor
from qcskit.codec.classical.omp import omp
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix


def duality_gap(x, y, phi, mu):
    """How far ‖x‖₁ is above the optimum at most: any ν with ‖Φᵀν‖∞ <= 1 bounds it from below by yᵀν − μ‖ν‖."""
    residual, l1 = y - x @ phi.T, np.abs(x).sum(axis=1)
    nu = residual / np.maximum(np.abs(residual @ phi).max(axis=1, keepdims=True), 1e-300)
    gap = (l1 - (y * nu).sum(axis=1) + mu * np.linalg.norm(nu, axis=1)) / np.maximum(l1, 1e-300)
    return np.where(x.any(axis=1) | (np.linalg.norm(y, axis=1) > mu), gap, 0.0)  # 0 is the optimum of a small y


def interior_point_bpdn(y, phi, mu):
    """Optimal ‖x‖₁ by Clarabel: x = p − q, p, q >= 0, (μ, y − Φx) in a second-order cone."""
    m, n = phi.shape
    cone = np.concatenate([np.zeros((1, 2 * n)), np.concatenate([phi, -phi], axis=1)])
    rows = sparse.csc_matrix(np.concatenate([-np.eye(2 * n), cone]))
    right = np.concatenate([np.zeros(2 * n), [mu], y])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_rel = settings.tol_gap_abs = settings.tol_feas = 1e-9
    cones = [clarabel.NonnegativeConeT(2 * n), clarabel.SecondOrderConeT(m + 1)]
    empty = sparse.csc_matrix((2 * n, 2 * n))
    return clarabel.DefaultSolver(empty, np.ones(2 * n), rows, right, cones, settings).solve().obj_val


def test_bpdn_meets_the_interior_point_optimum_on_200_problems():
    rng = np.random.default_rng(0)
    worst, count = 0.0, 0
    for n, m, s, quantum in ((20, 10, 2, 0.0), (20, 10, 2, 0.5), (80, 40, 8, 0.0), (80, 40, 8, 0.25), (30, 9, 3, 0.0)):
        for low_pass in (True, False):
            phi = measurement_matrix(SignalConfig(n=n, m=m, s=s)) if low_pass else rng.standard_normal((m, n))
            x = np.zeros((20, n))
            np.put_along_axis(x, rng.random((20, n)).argsort(axis=1)[:, :s], rng.standard_normal((20, s)), 1)
            y = x @ phi.T + 0.01 * rng.standard_normal((20, m))
            y = np.round(y / quantum) * quantum if quantum else y
            mu = 10 ** rng.uniform(-3, 0, 20)
            x_hat = bpdn(y, phi, mu)
            assert np.all(np.linalg.norm(y - x_hat @ phi.T, axis=1) <= mu * (1 + 1e-6))
            for frame in range(20):
                best = interior_point_bpdn(y[frame], phi, mu[frame])
                ours = np.abs(x_hat[frame]).sum()
                worst = max(worst, abs(ours - best) / max(best, 1e-3))
                count += 1
    assert count == 200
    assert worst < 1e-4


def test_bpdn_certifies_itself_down_to_tiny_radii():
    config = SignalConfig(n=80, m=40, s=8)
    phi = measurement_matrix(config)
    y = draw_frames(config, 200, 3)[1]
    for rebuilt in (y, np.round(y * 4) / 4):  # quantized measurements tie correlations exactly
        x_hat = bpdn(rebuilt, phi, 1e-5)
        assert duality_gap(x_hat, rebuilt, phi, 1e-5).max() < 1e-6


def test_an_entry_may_leave_at_one_end_and_come_back_at_the_other():
    signal = SignalConfig(n=16, m=8, s=2, basis="dct", matrix="gaussian", matrix_seed=3)
    y = np.round(draw_frames(signal, 2_000, 0)[1] * 4) / 4
    phi = dictionary(signal)
    assert duality_gap(bpdn(y, phi, 1e-5), y, phi, 1e-5).max() < 1e-6


def test_bpdn_without_noise_is_basis_pursuit():
    config = SignalConfig(n=20, m=10, s=2, noise_variance=0.0)
    phi = measurement_matrix(config)
    y = draw_frames(config, 20, 5)[1]
    x_hat = bpdn(y, phi, 0.0)
    for signal, ours in zip(y, x_hat, strict=True):
        oracle = linprog(np.ones(40), A_eq=np.concatenate([phi, -phi], axis=1), b_eq=signal, method="highs")
        assert np.abs(ours).sum() == pytest.approx(oracle.fun, rel=1e-6)
    assert np.allclose(x_hat @ phi.T, y, atol=1e-8)


def test_path_gives_each_radius_what_a_single_solve_gives():
    config = SignalConfig()
    phi = measurement_matrix(config)
    y = draw_frames(config, 50, 1)[1]
    mus = np.array([0.3, 1e-3, 3.0, 0.05])
    path = bpdn_path(y, phi, mus)
    for place, mu in enumerate(mus):
        assert np.allclose(path[:, place], bpdn(y, phi, mu), atol=1e-9)
    assert not path[np.linalg.norm(y, axis=1) <= 3.0, 2].any()


@pytest.mark.skipif(not jit.COMPILED, reason="numba is not installed (extra `speed`): nothing to compare with")
def test_plain_python_walks_the_same_path(monkeypatch):
    from qcskit.codec.classical import l1

    phi = measurement_matrix(SignalConfig())
    y = draw_frames(SignalConfig(), 5, 2)[1]
    compiled = bpdn(y, phi, 0.1)
    for name in ("_walk_frames", "_walk", "_append", "_solve_cholesky"):
        monkeypatch.setattr(l1, name, getattr(l1, name).py_func)
    assert np.allclose(bpdn(y, phi, 0.1), compiled, atol=1e-12)


@pytest.mark.parametrize(("n", "m", "s"), [(20, 10, 2), (80, 40, 8), (50, 30, 5)])
def test_omp_is_scikit_learns(n, m, s):
    rng = np.random.default_rng(n)
    phi = rng.standard_normal((m, n))
    phi /= np.linalg.norm(phi, axis=0)
    y = rng.standard_normal((40, m))
    assert np.allclose(omp(y, phi, s), orthogonal_mp(phi, y.T, n_nonzero_coefs=s).T, atol=1e-8)
    low_pass = measurement_matrix(SignalConfig(n=n, m=m, s=s))
    y = draw_frames(SignalConfig(n=n, m=m, s=s), 40, 1)[1]
    assert np.allclose(omp(y, low_pass, s), orthogonal_mp(low_pass, y.T, n_nonzero_coefs=s).T, atol=1e-6)


def test_omp_stops_at_the_residual_as_scikit_learn_does():
    rng = np.random.default_rng(7)
    phi = rng.standard_normal((15, 30))
    phi /= np.linalg.norm(phi, axis=0)
    y = rng.standard_normal((30, 15))
    theirs = np.stack([orthogonal_mp(phi, frame, tol=1.5**2) for frame in y])
    assert np.allclose(omp(y, phi, 15, residual=1.5), theirs, atol=1e-8)
    assert not omp(np.zeros((2, 15)), phi, 3).any()


def test_omp_scales_columns_of_any_norm():
    rng = np.random.default_rng(8)
    phi = rng.standard_normal((10, 20))
    weights = rng.uniform(0.1, 10, 20)
    y = rng.standard_normal((25, 10))
    assert np.allclose(omp(y, phi * weights, 3) * weights, omp(y, phi, 3), atol=1e-9)


def test_consistent_l1_is_highs_optimum():
    rng = np.random.default_rng(4)
    for n, m in ((20, 10), (30, 12)):
        phi = measurement_matrix(SignalConfig(n=n, m=m, s=2))
        y = rng.standard_normal((30, m))
        low, high = np.floor(y * 2) / 2, np.floor(y * 2) / 2 + 0.5
        low[y < -1], high[y < -1] = -np.inf, -1.0
        low[y > 1], high[y > 1] = 1.0, np.inf
        x_hat = consistent_l1(low, high, phi)
        assert np.all(x_hat @ phi.T >= low - 1e-6)
        assert np.all(x_hat @ phi.T <= high + 1e-6)
        for frame in range(30):
            rows = np.concatenate([np.concatenate([phi, -phi], axis=1), np.concatenate([-phi, phi], axis=1)])
            right = np.concatenate([high[frame], -low[frame]])
            kept = np.isfinite(right)
            oracle = linprog(np.ones(2 * n), rows[kept], right[kept], method="highs")
            assert np.abs(x_hat[frame]).sum() == pytest.approx(oracle.fun, rel=1e-5, abs=1e-6)


def test_consistent_l1_leaves_what_does_not_converge_to_highs(monkeypatch):
    phi = measurement_matrix(SignalConfig())
    low = np.floor(np.random.default_rng(4).standard_normal((5, 10)) * 2) / 2
    high = np.where(low > 0.5, np.inf, low + 0.5)
    expected = np.abs(consistent_l1(low, high, phi)).sum(axis=1)
    monkeypatch.setattr(consistent, "ITERATIONS", 0)
    x_hat = consistent_l1(low, high, phi)
    assert np.all((x_hat @ phi.T >= low - 1e-6) & (x_hat @ phi.T <= high + 1e-6))
    np.testing.assert_allclose(np.abs(x_hat).sum(axis=1), expected, rtol=1e-5, atol=1e-6)


def test_mixture_mmse_is_bayes_rule_written_out():
    rng = np.random.default_rng(9)
    phi, noise = rng.standard_normal((4, 6)), 0.2
    y = rng.standard_normal((5, 4))
    x_hat, variance = mixture_mmse(y, phi, 2, noise)
    for signal, ours, spread in zip(y, x_hat, variance, strict=True):
        weights, means, seconds = [], [], []
        for support in itertools.combinations(range(6), 2):
            prior = np.diag(np.isin(np.arange(6), support).astype(float))
            observed = phi @ prior @ phi.T + noise * np.eye(4)
            gain = prior @ phi.T @ np.linalg.inv(observed)
            weights.append(multivariate_normal(np.zeros(4), observed).pdf(signal))
            means.append(gain @ signal)
            seconds.append(np.trace(prior - gain @ phi @ prior) + means[-1] @ means[-1])
        weights = np.array(weights) / np.sum(weights)
        mean = weights @ np.array(means)
        assert np.allclose(ours, mean, atol=1e-10)
        assert spread == pytest.approx(weights @ np.array(seconds) - mean @ mean, abs=1e-10)


def test_floor_is_what_the_estimator_reaches():
    config = SignalConfig(n=7, m=4, s=1, noise_variance=0.01)
    x, y = draw_frames(config, 40_000, 11)
    x_hat = mixture_mmse(y, measurement_matrix(config), 1, 0.01)[0]
    reached = 10 * np.log10(np.sum((x - x_hat) ** 2) / len(x))
    floor = mmse_floor(config, 20_000, seed=3)
    assert abs(reached - floor.nmse_db) < 0.15
    assert floor.standard_error_db < 0.05


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda phi, y: omp(y, phi, 4), "S = 4"),
        (lambda phi, y: omp(y, phi, 0), "S = 0"),
        (lambda phi, y: bpdn(y, phi, -0.1), "mu = -0.1"),
        (lambda phi, y: bpdn(y, phi, np.full(5, 0.1)), "mu has shape"),
        (lambda phi, y: bpdn(y, phi[[0, 1, 1]], 0.1), "singular"),
        (lambda phi, y: bpdn(y, phi * (np.arange(6) > 0), 0.1), "column 0 is zero"),
        (lambda phi, y: bpdn(y[:, :2], phi, 0.1), "expected"),
        (lambda phi, y: bpdn(y * np.nan, phi, 0.1), "frame 0 holds NaN"),
        (lambda phi, y: bpdn(y, phi.T, 0.1), r"Phi has shape \(6, 3\), expected \(M, N\) with M <= N"),
        (lambda phi, y: bpdn(y, phi * np.nan, 0.1), "Phi holds NaN or infinity"),
        (lambda phi, y: bpdn(y + 1.0, phi * [[1.0], [1e-14], [1e-14]], 0.0), "frame 0 .* Phi is too badly conditioned"),
        (lambda phi, y: omp(y, phi, 1, residual=-1.0), "mu = -1.0|residual"),
        (lambda phi, y: mixture_mmse(y, phi, 2, 0.0), "noise_variance"),
        (lambda phi, y: mixture_mmse(np.zeros((1, 40)), np.tile(np.eye(40), 2), 8, 0.1), "supports"),
        (lambda phi, y: consistent_l1(y, y, phi), "empty"),
        (
            lambda phi, y: consistent_l1(y[:, :2], y[:, :2] + 1, phi),
            r"cells have shapes \(2, 2\) and \(2, 2\), expected",
        ),
        (lambda phi, y: consistent_l1(y + 1, y + 2, phi * [[1.0], [1e-14], [1e-14]]), "Phi is too badly conditioned"),
        (lambda phi, y: consistent_l1(y - np.inf, y + np.inf, phi), "both sides"),
    ],
)
def test_bad_input_is_one_clear_line(call, says):
    phi = np.random.default_rng(0).standard_normal((3, 6))
    with pytest.raises(QcsError, match=says) as caught:
        call(phi, np.zeros((2, 3)))
    assert "\n" not in str(caught.value)
