"""The network of a DCT: against SciPy's, and how much less there is to multiply."""

import numpy as np
import pytest
import scipy.fft
from support.transform import transform_tables

from qcskit.codec.transform.network import check_steps, linear_rows, network_sums
from qcskit.export.transform.basis import make_rows
from qcskit.export.transform.fast_dct import fast_dct, is_fast

SERIES = np.zeros((1, 8), np.int64)
SIZES = (*range(64, 200, 20), 128, 252, 256, 320, 384, 448, 508, 512)


@pytest.mark.parametrize("n", SIZES)
def test_it_is_scipys_dct(n: int) -> None:
    """Within half a unit of a weight and of a twiddle per stage; a bound that no counts leave."""
    reference = scipy.fft.dct(np.eye(n), axis=0, norm="ortho")
    rows, bound = linear_rows(network := fast_dct(n, n, bits := make_rows("dct", SERIES, n, 1).fraction_bits))
    check_steps(network)
    off = rows / 2**bits - reference
    assert np.abs(off).max() < 1.5 * 2.0**-bits + 4 * 2.0**-12 * np.sqrt(2 / n)
    assert bound < 2**31


@pytest.mark.parametrize("n", [128, 256, 512])
@pytest.mark.parametrize("loud", [3, 40, 500, 6000])
def test_it_is_nearer_to_the_dct_than_its_rows_multiplied_out(n: int, loud: int) -> None:
    """Windows of a random walk, quiet and loud: fewer rounded weights lie on the way to a coefficient."""
    rows = make_rows("dct", SERIES, n, 1)
    steps = np.random.default_rng(n).standard_normal((200, n)) * loud / np.sqrt(n)
    x = np.clip(np.rint(np.cumsum(steps, axis=1)), -32768, 32767).astype(np.int64)
    exact = scipy.fft.dct(x, axis=1, norm="ortho") * 2.0**rows.fraction_bits
    fast, dense = network_sums(rows.network, x) - exact, x @ rows.integer.T - exact
    assert fast.std() < dense.std()


@pytest.mark.parametrize(("n", "rows"), [(128, rows) for rows in (8, 9, 10, 33, 63, 64, 97, 127)] + [(512, 8)])
def test_a_coefficient_is_the_same_whatever_comes_behind_it(n: int, rows: int) -> None:
    some, _ = linear_rows(fast_dct(n, rows, 12))
    every, _ = linear_rows(fast_dct(n, n, 12))
    assert np.array_equal(some, every[:rows])


def test_it_multiplies_less() -> None:
    for n, share in ((128, 0.35), (256, 0.2), (512, 0.1)):
        dense = transform_tables(n=n, rows=n)
        assert fast_dct(n, n, 11).multiplications < share * dense.multiplications


def test_which_transforms_are_fast() -> None:
    assert [n for n in (32, 64, 124, 126, 128, 130, 512) if is_fast(n, n)] == [128, 512]
    assert [rows for rows in (1, 7, 8, 128) if is_fast(128, rows)] == [8, 128]
    assert make_rows("dct", SERIES, 128, 1).fast
    assert not make_rows("dct", SERIES, 128, 1, 7).fast
    assert not make_rows("klt", np.ones((1, 300), np.int64), 128, 1).fast
