"""Centroids and the linear decoder: against loops, NumPy's least squares and Python's integers."""

import numpy as np

from qcskit.export.transform.decoder import centroids, estimator

RNG = np.random.default_rng(8)


def test_centroids_are_mean_offsets_drawn_to_zero() -> None:
    acc = RNG.integers(-900, 900, (500, 3))
    acc[:, 2] = 5
    index = np.sign(acc) * ((np.abs(acc) * 10 + 36 * 100 // 10) // 1000 + (np.abs(acc) > 64))
    found = centroids(index, acc, 100.0)
    for row in range(3):
        for place, cell in enumerate(({1}, {2}, set(range(3, 99)))):
            chosen = [
                (abs(a) / 100 - abs(i)) for a, i in zip(acc[:, row], index[:, row], strict=True) if abs(i) in cell
            ]
            assert np.isclose(found[row, place], sum(chosen) / (len(chosen) + 4))
    assert (found[2] == 0).all()


def test_the_decoder_is_the_regularised_least_squares() -> None:
    coefficients = np.rint(256 * RNG.normal(0, [30, 5, 1, 0.2], (800, 4))) / 256
    x = np.rint(coefficients @ RNG.normal(0, 9, (4, 6)) + RNG.normal(0, 3, (800, 6))).astype(np.int64)
    prior = RNG.normal(0, 9, (6, 4))
    found = estimator(coefficients, x, prior)
    # The prior is four more observations of each coefficient, that say what the prior says.
    more = np.concatenate([coefficients, 2 * np.eye(4)]), np.concatenate([x, 2 * prior.T])
    assert np.allclose(found, np.linalg.lstsq(*more, rcond=None)[0].T, atol=1e-9)


def test_a_coefficient_that_never_occurred_keeps_the_prior() -> None:
    coefficients = np.array([[1.0, 0.0], [-2.0, 0.0], [3.0, 0.0]])
    prior = np.array([[1.0, 7.0], [2.0, -7.0]])
    found = estimator(coefficients, np.array([[1, 2], [-2, -4], [3, 6]]), prior)
    assert np.allclose(found, prior)


def test_sums_are_exact_however_loud_the_windows_are() -> None:
    # 2^15 · 2^8 squared, 20,000 times, is beyond what doubles hold; the order of the windows then must not matter.
    coefficients = np.stack([RNG.integers(-32767, 32768, 20_000) + 1 / 256 for _ in range(3)], axis=1)
    x = RNG.integers(-65535, 65536, (20_000, 2))
    order = RNG.permutation(20_000)
    prior = np.zeros((2, 3))
    assert (estimator(coefficients, x, prior) == estimator(coefficients[order], x[order], prior)).all()
