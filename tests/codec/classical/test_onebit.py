"""BIHT and Plan–Vershynin against SciPy's solvers, an exhaustive search and the properties the papers state."""

import itertools

import numpy as np
import pytest
from scipy.fft import dct
from scipy.optimize import linprog, minimize

from qcskit.codec.classical import onebit
from qcskit.codec.errors import QcsError


def sign(v):
    return np.where(v >= 0, 1, -1)


def binary_frames(frames, n, k, rng):
    x = np.zeros((frames, n))
    np.put_along_axis(x, rng.random((frames, n)).argsort(axis=1)[:, :k], 1.0, 1)
    return x


def test_plan_vershynin_solves_its_program():
    rng = np.random.default_rng(1)
    for k in (1, 2, 4, 9):
        A = rng.standard_normal((12, 9))
        y = sign(rng.standard_normal((6, 12)))
        x_hat = onebit.plan_vershynin(y, A, k)
        assert np.all(np.linalg.norm(x_hat, axis=1) <= 1 + 1e-9)
        assert np.all(np.abs(x_hat).sum(axis=1) <= np.sqrt(k) * (1 + 1e-6))
        for signs, ours in zip(y, x_hat, strict=True):
            c = signs @ A
            both = np.concatenate([c, -c])  # x = p - q, p, q >= 0 makes the program smooth
            oracle = minimize(
                lambda z, both=both: -both @ z,
                np.full(18, 0.05),
                jac=lambda z, both=both: -both,
                bounds=[(0, None)] * 18,
                method="SLSQP",
                options={"maxiter": 500, "ftol": 1e-12},
                constraints=[
                    {"type": "ineq", "fun": lambda z: 1 - np.sum((z[:9] - z[9:]) ** 2)},
                    {"type": "ineq", "fun": lambda z, k=k: np.sqrt(k) - z.sum()},
                ],
            )
            assert c @ ours == pytest.approx(-oracle.fun, rel=2e-5)


def test_binary_plan_vershynin_is_the_linear_programs_vertex():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((15, 12))
    y = sign(rng.standard_normal((10, 15)))
    x_hat = onebit.plan_vershynin(y, A, 3, binary=True)
    for signs, ours in zip(y, x_hat, strict=True):
        oracle = linprog(-(signs @ A), A_eq=np.ones((1, 12)), b_eq=[3], bounds=(0, 1), method="highs")
        assert np.allclose(ours, oracle.x, atol=1e-9)


def test_noiseless_biht_recovers_binary_signals_and_directions():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((200, 60))
    x = binary_frames(100, 60, 3, rng)
    y = sign(x @ A.T)
    assert np.mean(np.all(onebit.biht(y, A, 3, binary=True) == x, axis=1)) > 0.99
    unit = x / np.sqrt(3)
    real = onebit.biht(y, A, 3)
    assert np.allclose(np.linalg.norm(real, axis=1), 1.0)
    assert np.mean(np.sum(real * unit, axis=1)) > 0.97


def test_best_iterate_is_never_further_than_the_last():
    rng = np.random.default_rng(4)
    A = rng.standard_normal((64, 40))
    x = binary_frames(200, 40, 3, rng)
    y = sign(x @ A.T + rng.standard_normal((200, 64)))

    def wrong(estimate):
        return np.count_nonzero(sign(estimate @ A.T) != y, axis=1)

    for binary in (False, True):
        best = onebit.biht(y, A, 3, keep="best", binary=binary)
        last = onebit.biht(y, A, 3, keep="last", binary=binary)
        assert np.all(wrong(best) <= wrong(last))
        assert np.all(np.count_nonzero(best, axis=1) <= 3)
    exact = [np.eye(40)[list(s)].sum(axis=0) for s in itertools.combinations(range(40), 3)]
    fewest = np.array([np.count_nonzero(sign(exact @ A.T) != signs, axis=1).min() for signs in y[:10]])
    found = wrong(onebit.biht(y, A, 3, binary=True))[:10]
    assert np.all(found >= fewest)  # nothing beats the exhaustive search over the C(40, 3) binary signals
    assert np.mean(found == fewest) >= 0.5


def test_rounding_decides_nothing():
    """All signs of a DCT, where many entries are equal: other last bits of A, or another scale, change none."""
    A = dct(np.eye(20), norm="ortho")[:10]
    y = np.array(list(itertools.product([-1, 1], repeat=10)))
    noisy = A * (1 + 1e-14 * np.random.default_rng(6).standard_normal(A.shape))
    for options in ({}, {"keep": "last"}, {"binary": True}):
        kept = onebit.biht(y, A, 2, **options)
        for other in (noisy, 1e-8 / 7 * A):
            assert np.allclose(onebit.biht(y, other, 2, **options), kept, atol=1e-6)
    assert np.array_equal(onebit.plan_vershynin(y, noisy, 2, binary=True), onebit.plan_vershynin(y, A, 2, binary=True))


def test_of_equal_entries_those_at_the_lowest_places_are_kept_and_the_sign_of_0_is_1():
    A = np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, axis=1)  # columns 0 to 49 are one, the rest another
    for signs, k in (([1, 1], 2), ([1, -1], 54), ([-1, 1], 1)):
        assert np.flatnonzero(onebit.biht(np.array([signs]), A, k)).tolist() == list(range(k))
    ones = onebit.plan_vershynin(np.array([[-1, 1]]), A, 3, binary=True)
    assert np.flatnonzero(ones).tolist() == [50, 51, 52]


def test_chunks_do_not_change_the_result():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((16, 10))
    y = sign(rng.standard_normal((2 * onebit.CHUNK_FRAMES + 3, 16))).astype(np.int8)
    whole = onebit.biht(y, A, 2, iterations=5)
    assert np.array_equal(whole[-3:], onebit.biht(y[-3:], A, 2, iterations=5))
    assert onebit.biht(y[:0], A, 2).shape == (0, 10)


@pytest.mark.parametrize(
    ("signs", "k", "kwargs", "says"),
    [
        (np.ones((2, 3)), 1, {}, "expected"),
        (np.zeros((2, 4)), 1, {}, r"not \+1 or -1"),
        (np.ones((2, 4)), 7, {}, "k = 7"),
        (np.ones((2, 4)), 1, {"iterations": 0}, "iterations"),
        (np.ones((2, 4)), 1, {"keep": "worst"}, "keep"),
    ],
)
def test_bad_input_is_one_clear_line(signs, k, kwargs, says):
    with pytest.raises(QcsError, match=says) as caught:
        onebit.biht(signs, np.ones((4, 6)) + np.eye(4, 6), k, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", [0.0, np.nan, np.inf])
def test_a_matrix_that_measures_nothing_is_refused(entry):
    with pytest.raises(QcsError, match="matrix A is zero or holds NaN or infinity"):
        onebit.biht(np.ones((2, 4)), np.full((4, 6), entry), 1)


def test_more_signs_make_a_curve_and_amplitude_stays_unknown():
    """Recovery from signs improves with their number, towards what the least-squares gain of a unit vector leaves."""
    from qcskit.codec.classical import make, one_bit_signal
    from qcskit.codec.errors import QcsError
    from qcskit.codec.metrics import nmse_db
    from qcskit.codec.signal import SignalConfig, draw_frames

    reached = []
    for count in (5, 10, 40, 160):
        signal = one_bit_signal(SignalConfig(), count)
        codec = make("1-bit-biht", signal, 2, train_frames=4000)
        assert codec.rate_bits == count / 20
        x, y = draw_frames(signal, 2000, 5)
        reached.append(nmse_db(x, codec.decode(codec.encode(y))))
    assert reached == sorted(reached, reverse=True)
    # |x| is chi distributed with S = 2 degrees: with the exact direction, 1 - E[|x|]^2 / E[|x|^2] = 1 - pi / 4 is left.
    limit = 10 * np.log10(1 - np.pi / 4)
    assert limit < reached[-1] < limit + 0.15
    assert one_bit_signal(SignalConfig(), 20, "dct").m == 20
    for count, matrix in ((1, "gaussian"), (21, "dct")):
        with pytest.raises(QcsError, match="one-bit measurements"):
            one_bit_signal(SignalConfig(), count, matrix)
