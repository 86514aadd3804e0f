"""Fields, dictionaries and recovery against the independent package galois, and exhaustively where that is small."""

from itertools import combinations, product

import galois
import numpy as np
import pytest

from qcskit.codec.coded import linalg
from qcskit.codec.coded.dictionary import dictionary
from qcskit.codec.coded.field import field, smallest_r
from qcskit.codec.coded.recover import recover, tables
from qcskit.codec.errors import QcsError

SLOW = "python-calculate"
"""How galois computes: compiling takes longer than what is asked of it here."""


def compress(d, x):
    """Symbols u (frames, K) of x (frames, n)."""
    return (x.astype(float) @ d.rows.T % d.p).astype(np.uint8)


def oracle(gf):
    """The same field in galois: same polynomial, α = x."""
    polynomial = galois.Poly(list(reversed(gf.polynomial)), field=galois.GF(gf.p, compile=SLOW))
    alpha = gf.p if gf.r > 1 else None
    return galois.GF(gf.p, gf.r, irreducible_poly=polynomial, primitive_element=alpha, compile=SLOW)


@pytest.mark.parametrize(("p", "r"), [(2, 9), (3, 4), (7, 2)])
def test_tables_agree_with_galois(p, r):
    gf = field(p, r)
    other = oracle(gf)
    assert np.array_equal(gf.exp[: gf.order], np.asarray(other.primitive_element ** np.arange(gf.order)))
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, gf.q, (2, 300))
    assert np.array_equal(gf.exp[gf.log[a] + gf.log[b]], np.asarray(other(a) * other(b)))
    a, b = a[a * b > 0], b[a * b > 0]
    assert np.array_equal(gf.exp[gf.log[a] + gf.zech[gf.log[b] - gf.log[a]]], np.asarray(other(a) + other(b)))
    assert np.array_equal((gf.digits(a) + gf.digits(b)) % p, gf.digits(np.asarray(other(a) + other(b))))
    logs = np.arange(gf.order)
    one_plus = np.asarray(other(1) + other(gf.exp[logs]))
    assert np.array_equal(gf.zech, gf.log[one_plus])


def test_largest_fields_are_cyclic():
    for p, r in ((2, 16), (3, 10), (7, 5)):
        gf = field(p, r)
        assert len(set(gf.exp[: gf.order].tolist())) == gf.order  # α has full order


@pytest.mark.parametrize(("p", "n", "k"), [(2, 15, 3), (2, 63, 5), (3, 26, 3), (5, 24, 2), (7, 48, 4)])
def test_parity_checks_are_those_of_galois(p, n, k):
    d = dictionary(p, n, k, rows="all")
    other = oracle(d.gf)
    code = galois.ReedSolomon(n, d=2 * k + 1, field=other, alpha=other.primitive_element)
    assert code.n == n
    # galois writes the highest power first.
    columns = np.asarray(code.H)[:, ::-1]
    elements = np.moveaxis(d.rows.reshape(2 * k, d.gf.r, n), 1, 2) @ p ** np.arange(d.gf.r)
    assert np.array_equal(elements, columns)


@pytest.mark.parametrize(("p", "n", "k", "rank"), [(2, 511, 5, 45), (3, 728, 5, 42), (5, 624, 5, 32), (7, 2400, 5, 36)])
def test_independent_rows(p, n, k, rank):
    d = dictionary(p, n, k)
    full = dictionary(p, n, k, rows="all")
    assert (d.symbols, full.symbols) == (rank, 2 * k * d.gf.r)
    prime = galois.GF(p)
    assert np.linalg.matrix_rank(prime(full.rows)) == rank
    assert np.array_equal(d.expand.astype(int) @ d.rows % p, full.rows)


def test_binary_rows_are_a_bch_code():
    assert galois.BCH(511, d=11).n - galois.BCH(511, d=11).k == dictionary(2, 511, 5).symbols == 45


@pytest.mark.parametrize(("p", "n", "k"), [(2, 63, 5), (3, 26, 3), (5, 24, 2), (7, 48, 4)])
def test_recovery_agrees_with_galois_decoder(p, n, k):
    d = dictionary(p, n, k, rows="all")
    other = oracle(d.gf)
    code = galois.ReedSolomon(n, d=2 * k + 1, field=other, alpha=other.primitive_element)
    rng = np.random.default_rng(2)
    x = np.zeros((12, n), np.uint8)
    for row in x:
        weight = rng.integers(0, k + 2)
        row[rng.choice(n, weight, replace=False)] = rng.integers(1, p, weight)
    # x is the error pattern on the zero codeword: what galois subtracts is x.
    word, errors = code.decode(other(x[:, ::-1]), output="codeword", errors=True)
    result = recover(compress(d, x), tables(d))
    for i in range(len(x)):
        corrected = x[i] if errors[i] < 0 else np.asarray(other(x[i, ::-1]) - word[i])[::-1]
        valid = errors[i] >= 0 and corrected.max() < p  # galois may find magnitudes outside F_p; those are flagged
        assert result.ok[i] == valid
        if valid:
            assert np.array_equal(result.dense(n)[i], corrected)


@pytest.mark.parametrize(
    ("p", "n", "k", "rows", "guard"),
    [(2, 31, 3, "independent", False), (2, 31, 3, "all", True), (2, 25, 3, "independent", True),
     (3, 13, 3, "independent", False), (3, 26, 2, "all", True), (5, 12, 2, "independent", True)],
)  # fmt: skip
def test_every_pattern_of_weight_up_to_three(p, n, k, rows, guard):
    d = dictionary(p, n, k, rows=rows, guard=guard)
    patterns = []
    for weight in range(4):
        for place in combinations(range(n), weight):
            for values in product(range(1, p), repeat=weight):
                patterns.append((place, values))
    x = np.zeros((len(patterns), n), np.uint8)
    for row, (place, values) in zip(x, patterns, strict=True):
        row[list(place)] = values
    result = recover(compress(d, x), tables(d))
    weights = (x != 0).sum(axis=1)
    right = (result.dense(n) == x).all(axis=1)
    assert (result.ok & right)[weights <= k].all()
    if guard:  # one more non-zero than designed for is always noticed
        assert not result.ok[weights == k + 1].any()


def test_flagged_rate_beyond_the_design_weight():
    # k + 1 non-zeros look like k of them in one of about 5! cases, and never with the guard.
    rng = np.random.default_rng(3)
    x = np.zeros((40_000, 511), np.uint8)
    np.put_along_axis(x, rng.random(x.shape).argpartition(6, axis=1)[:, :6], 1, axis=1)
    plain = dictionary(2, 511, 5)
    silent = recover(compress(plain, x), tables(plain)).ok.mean()
    assert 0.006 < silent < 0.011
    guarded = dictionary(2, 511, 5, guard=True)
    assert not recover(compress(guarded, x), tables(guarded)).ok.any()


def test_linear_algebra():
    rng = np.random.default_rng(4)
    for p in (2, 3, 7):
        square = rng.integers(0, p, (12, 12))
        while len(linalg.row_reduce(square, p)[1]) < 12:
            square = rng.integers(0, p, (12, 12))
        assert np.array_equal(square @ linalg.inverse(square, p) % p, np.eye(12, dtype=int))
    with pytest.raises(QcsError, match="singular"):
        linalg.inverse(np.ones((2, 2), int), 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: field(6, 2), "p = 6 is not prime"),
        (lambda: field(2, 17), "at most 65536"),
        (lambda: smallest_r(2, 70_000), "n = 70000 needs"),
        (lambda: dictionary(4, 10, 2), "p = 4 is not prime"),
        (lambda: dictionary(2, 600, 5, r=9), "n = 600 does not fit"),
        (lambda: dictionary(2, 10, 6), "k = 6"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(QcsError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
