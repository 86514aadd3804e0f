"""Fraction bits that are proven, for any Φ: exact, or refused in one line that names the columns."""

from dataclasses import replace

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import bernoulli, dct_rows, gaussian
from qcskit.codec.sensor import Adc, CountGrid
from qcskit.codec.sparse.definition import packet_of
from qcskit.codec.sparse.search import aligned, search
from qcskit.codec.sparse.tables import Tables
from qcskit.codec.sparse.words import pack, words_of
from qcskit.export.sparse.integers import alignment, integer_tables, limit_of, pair_table, unit_columns

ADC = Adc(bits=12, units_per_count=0.002)
GRID = CountGrid(0.002, 0.0)


def made(phi: np.ndarray, sparsity: int = 2, noise: float | None = 1e-4) -> Tables:
    tables = integer_tables(unit_columns(phi)[0], ADC, GRID, noise, sparsity=sparsity, windows=1, bits=20)
    cells = np.array([1500, 3000], np.int16)
    return replace(tables, thresholds=cells, coarse=cells[:1] if tables.limit else cells[:0])


SEEDS = 25
"""The benchmark takes 100."""


@pytest.mark.parametrize("draw", [gaussian, bernoulli])
def test_a_random_matrix_is_exact_or_refused(draw) -> None:
    rng, equal = np.random.default_rng(0), 0
    ends = np.where(rng.random((3, 10)) < 0.5, -32768, 32767)
    counts = np.concatenate([ends, rng.integers(-900, 900, (3, 10))]).astype(np.int16)
    for seed in range(SEEDS):
        phi = draw(10, 20, seed)
        units = phi / np.linalg.norm(phi, axis=0)
        if np.abs(np.triu(units.T @ units, 1)).max() > 0.999999:
            equal += 1
            with pytest.raises(QcsError, match=r"columns \d+ and \d+ are equal up to sign and size.*$"):
                made(phi)
            continue
        tables = made(phi)
        tables.check()
        got = pack(tables, words_of(tables, search(tables, aligned(tables, counts))))
        assert [row.tobytes() for row in got] == [packet_of(tables, row) for row in counts.tolist()]
    assert (equal > 0) == (draw is bernoulli)


def test_the_kit_s_dct_gets_these_bits() -> None:
    tables = made(dct_rows(10, 20))
    assert (tables.phi_bits, tables.pair_bits, tables.align) == (14, 14, 4)
    np.testing.assert_allclose(tables.phi / 2.0**14, dct_rows(10, 20).T, atol=2**-15)
    u, v = (tables.pairs / 2.0**14).T
    g = (dct_rows(10, 20).T @ dct_rows(10, 20))[np.triu_indices(20, 1)]
    np.testing.assert_allclose(u, 1 / np.sqrt(1 - g**2), atol=2**-14)
    np.testing.assert_allclose(v, g * u, atol=2**-14)


@pytest.mark.parametrize("sparsity", [1, 2])
def test_an_entry_of_1_takes_a_bit(sparsity: int) -> None:
    """2^15 is no int16."""
    tables = made(np.eye(6), sparsity)
    assert (tables.phi_bits, tables.phi.max()) == (14, 2**14)
    tables.check()


def test_short_columns_have_the_most_fraction_bits() -> None:
    """Three entries at unit norm sum to less than 2, which 15 bits still hold."""
    tables = made(gaussian(3, 4, 0), sparsity=1)
    assert tables.phi_bits == 15
    tables.check()


def test_columns_that_are_one_are_named() -> None:
    phi = gaussian(6, 9, 1)
    phi[:, 7] = -2 * phi[:, 3]
    for sparsity in (1, 2):
        with pytest.raises(QcsError, match=r"columns 3 and 7 are equal up to sign and size"):
            made(phi, sparsity)
    phi[0, 7] += 4e-3
    with pytest.raises(QcsError, match=r"columns 3 and 7 are nearly one, u = \d+ of this pair leaves int16"):
        pair_table(unit_columns(phi)[0])
    phi[:, 7] = phi[:, 8] / 12 + 0.01 * phi[:, 1]
    with pytest.raises(QcsError, match=r"column 7 \(of Φ Ψ\) is 1\d times shorter than the longest, at most 10"):
        made(phi)
    phi[:, 7] = 0
    with pytest.raises(QcsError, match=r"column 7 is zero, its coefficient cannot be measured"):
        made(phi)


def test_the_guard_s_limit_is_the_formula() -> None:
    tables = made(dct_rows(10, 20), noise=4e-6)
    sigma2 = 4e-6 / 0.002**2 + 1 / 12
    assert tables.limit == int(256 * sigma2 * (8 + 4 * 4))
    assert tables.residual_shift == 0
    limit, shift = limit_of(tables, GRID, 0.5)
    assert 2**29 < limit * 10 < 2**32
    assert limit == int(256 * (0.5 / 0.002**2 + 1 / 12) * 24 / 4.0**shift)
    with pytest.raises(QcsError, match="noise_variance is 0, so nothing says what a residual may be"):
        made(dct_rows(10, 20), noise=0.0)
    with pytest.raises(QcsError, match="m = 2 leaves no residual"):
        made(gaussian(2, 3, 0))


@pytest.mark.parametrize(("adc", "centre", "shift"), [
    (Adc(bits=12, units_per_count=1.0), 0, 4), (Adc(bits=12, units_per_count=1.0), 100, 3),
    (Adc(bits=16, units_per_count=1.0), 0, 0), (Adc(bits=10, signed=False, units_per_count=1.0), 512, 6),
    (Adc(bits=10, signed=False, units_per_count=1.0), 0, 5),
])  # fmt: skip
def test_counts_fill_int16(adc: Adc, centre: int, shift: int) -> None:
    assert alignment(adc, centre) == shift
