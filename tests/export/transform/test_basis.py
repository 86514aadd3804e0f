"""Rows of a transform: against SciPy, LAPACK and sums in Python's integers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray
from support.transform import transform_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.tables import Tables
from qcskit.export.transform.basis import Rows, dct_rows, eigen, fold, halvings, klt_rows, lags, make_rows, rounded

RNG = np.random.default_rng(5)
WALK = np.rint(10 * np.cumsum(RNG.standard_normal((1, 3000)), axis=1)).astype(np.int64)


def correlation(n: int) -> NDArray[np.float64]:
    """Return an autocorrelation (n,) without equal eigenvalues."""
    return np.array([0.9**lag * np.cos(0.3 * lag) for lag in range(n)])


def toeplitz(r: NDArray[np.float64]) -> NDArray[np.float64]:
    place = np.arange(len(r))
    return r[np.abs(place[:, None] - place)]


@pytest.mark.parametrize("n", [8, 12, 30, 512])
def test_a_dct_is_scipys_rounded_with_exact_symmetry(n: int) -> None:
    rows = make_rows("dct", WALK, n, 1)
    reference = scipy.fft.dct(np.eye(n), axis=0, norm="ortho")
    assert np.abs(rows.real - reference).max() < 1e-14
    assert np.abs(rows.integer - reference * 2**rows.fraction_bits).max() <= 0.5 + 1e-9
    sign = np.where(np.arange(n) % 2, -1, 1)[:, None]
    assert (rows.integer[:, ::-1] == sign * rows.integer).all()
    assert rows.folds == halvings(n)


@pytest.mark.parametrize("basis", ["dct", "klt"])
@pytest.mark.parametrize("n", [8, 32, 64])
def test_fraction_bits_are_the_most_that_no_counts_overflow(basis: str, n: int) -> None:
    rows = make_rows(basis, WALK, n, 1)
    loudest = np.where(rows.integer < 0, -32768, 32767)
    acc = [sum(int(w) * int(x) for w, x in zip(*pair, strict=True)) for pair in zip(rows.integer, loudest, strict=True)]
    assert max(acc) < 2**31
    more = np.rint(rows.real * 2.0 ** (rows.fraction_bits + 1)).astype(np.int64)
    assert np.abs(more).sum(axis=1).max() * 32768 >= 2**31 or np.abs(more).max() > 32767


def test_rows_that_leave_too_few_fraction_bits_are_refused() -> None:
    assert rounded(np.full((1, 64), 0.499), 1).fraction_bits == 11
    with pytest.raises(QcsError, match="fraction bits"):
        rounded(np.full((1, 64), 0.501), 1)


@pytest.mark.parametrize("n", [8, 22, 64])
def test_klt_rows_are_the_eigenvectors(n: int) -> None:
    r = correlation(n)
    rows = klt_rows(3.0 * r)
    values, vectors = np.linalg.eigh(toeplitz(r))
    assert np.allclose(np.abs(rows @ vectors[:, ::-1]), np.eye(n), atol=1e-7)
    assert np.allclose((rows @ toeplitz(r) * rows).sum(axis=1), values[::-1], atol=1e-12)
    mirrored = np.abs(rows[:, ::-1])
    assert (mirrored == np.abs(rows)).all()
    for row in rows:
        assert row[np.abs(row) > 0.5 * np.abs(row).max()][0] > 0


def test_equal_eigenvalues_take_the_dct() -> None:
    white = klt_rows(np.array([2.0] + [0.0] * 15))
    assert np.allclose(np.abs(white @ dct_rows(16).T).max(axis=1), 1)
    # A tone above noise: two rows are its own, the others share one eigenvalue and still complete the basis.
    tone = np.cos(2 * np.pi * 3 / 16 * np.arange(16))
    rows = klt_rows(tone + 0.01 * (np.arange(16) == 0))
    assert np.allclose(rows @ rows.T, np.eye(16), atol=1e-12)
    assert np.allclose(np.linalg.norm(toeplitz(tone) @ rows[2:].T, axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5, 16])
def test_jacobis_method_agrees_with_lapack(size: int) -> None:
    matrix = RNG.standard_normal((size, size))
    matrix = (matrix + matrix.T) / (2 * size)
    values, vectors = eigen(matrix)
    assert np.allclose(values, np.linalg.eigvalsh(matrix)[::-1], atol=1e-14)
    assert np.allclose(vectors @ matrix, values[:, None] * vectors, atol=1e-13)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(1, 60), (5, 12)])
def test_lags_are_means_over_all_pairs_of_a_segment(stride: int, shape: tuple[int, int]) -> None:
    series = RNG.integers(-32768, 32768, shape)
    found = lags(series, 12 // stride, stride)
    for lag in range(12 // stride):
        pairs = [int(row[i]) * int(row[i + lag * stride]) for row in series for i in range(shape[1] - lag * stride)]
        assert found[lag] == pytest.approx(sum(pairs) / len(pairs), rel=1e-12)


@pytest.mark.parametrize(("basis", "n", "count"), [("dct", 24, 24), ("dct", 32, 7), ("klt", 24, 11), ("dct", 8, 1)])
def test_blocks_unfold_to_the_rows(basis: str, n: int, count: int) -> None:
    rows = make_rows(basis, WALK, n, 1).first(count)
    tables = with_rows(rows)
    assert (tables.matrix == rows.integer).all()
    assert tables.blocks[:-1, 0].tolist() == [n >> fold for fold in range(1, rows.folds + 1)]


def with_rows(rows: Rows) -> Tables:
    count, n = rows.integer.shape
    return replace(transform_tables(n=n, rows=count), fraction_bits=rows.fraction_bits, **fold(rows))
