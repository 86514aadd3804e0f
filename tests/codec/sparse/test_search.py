"""The integer search against least squares over all pairs, and at the ends of what a count can be."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from support.bundles import sparse_bundle

from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import aligned, search
from qcskit.codec.sparse.tables import Tables


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> SparseCodec:
    made = sparse_bundle(tmp_path_factory.mktemp("sparse") / "b", signal={"n": 9, "m": 6, "matrix": "gaussian"})
    assert isinstance(made, SparseCodec)
    return made


@pytest.fixture(scope="module")
def tables(codec: SparseCodec) -> Tables:
    return codec.tables


def test_the_best_pair_is_that_of_least_squares(codec: SparseCodec, tables: Tables) -> None:
    y = aligned(tables, codec.counts(codec.draw(100, 4)[1])).astype(np.float64)
    phi = codec.sensor.phi
    columns = phi / np.linalg.norm(phi, axis=0)
    fits = [np.linalg.lstsq(columns[:, pair], y.T, rcond=None) for pair in combinations(range(9), 2)]
    left = np.stack([((y.T - columns[:, pair] @ fit[0]) ** 2).sum(axis=0)
                     for pair, fit in zip(combinations(range(9), 2), fits, strict=True)])  # fmt: skip
    found = search(tables, y.astype(np.int64))
    lanes = np.arange(len(y))
    chosen, least = left[found.support, lanes], left.min(axis=0)
    assert (chosen <= least + 0.002 * (y**2).sum(axis=1) + 100).all()
    values = np.stack([fits[number][0][:, lane] for lane, number in enumerate(found.support)])
    scale = 2.0 ** (tables.phi_bits - 16)
    np.testing.assert_allclose(found.values, values * scale, atol=12)
    expected = chosen > tables.limit * 4.0**tables.residual_shift
    beside = np.abs(chosen / (tables.limit * 4.0**tables.residual_shift) - 1) < 0.05
    assert (found.over == expected)[~beside].all()


def test_of_equal_scores_the_first_pair_is_taken(tables: Tables) -> None:
    """Two columns alike, and their rows of pairs: every pair with the second of them has a twin before it."""
    phi = tables.phi.copy()
    phi[4] = phi[1]
    pairs = np.full_like(tables.pairs, [1 << tables.pair_bits, 0])
    twins = replace(tables, phi=phi, pairs=pairs, limit=0)
    y = np.random.default_rng(1).integers(-30000, 30000, (300, 6))
    chosen = tables.supports[search(twins, y).support]
    loudest = np.abs(y @ phi.astype(np.int64).T).argmax(axis=1)
    assert (loudest == 1).sum() > 20
    assert (chosen[loudest == 1] == (1, 4)).all()
    assert search(tables, np.zeros((1, 6), np.int64)).support.tolist() == [0]


def test_no_count_overflows_and_the_proofs_are_tight(tables: Tables) -> None:
    """What drives t of a pair furthest is what its bound says, in 32 and in 64 bits."""
    first, second = tables.supports.T
    u, v = tables.pairs.astype(np.int64).T[:, :, None]
    phi = tables.phi.astype(np.int64)
    signs = np.where(u * phi[second] - v * phi[first] < 0, -32768, 32767)
    c = (signs @ phi.T + 0x8000) >> 16
    pair = np.arange(len(first))
    t = (u[:, 0] * c[pair, second] - v[:, 0] * c[pair, first] + (1 << tables.pair_bits >> 1)) >> tables.pair_bits
    assert np.abs(t).max() < 32768
    assert np.abs(c).max() < 32768
    scores = c[:, first] ** 2 + ((u[:, 0] * c[:, second] - v[:, 0] * c[:, first]
                                  + (1 << tables.pair_bits >> 1)) >> tables.pair_bits) ** 2  # fmt: skip
    assert scores.max() < 2**31
    assert np.array_equal(search(replace(tables, limit=0), signs).support, scores.argmax(axis=1))


def test_counts_beyond_the_adc_are_taken_for_its_ends(tables: Tables) -> None:
    counts = np.array([[-32768, 32767, tables.low, tables.high, tables.centre, 0] * 2], np.int16)
    assert np.array_equal(aligned(tables, counts), aligned(tables, counts.clip(tables.low, tables.high)))
    assert np.abs(aligned(tables, counts)).max() == 32768
