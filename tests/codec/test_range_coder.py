"""The range coder: numbers that are equally likely, ends of tables, and an index of every size with every carry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.codec.range_coder import Reader, Writer, are_tables, raw_of, symbol_ends, symbol_of, upper_ends


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=17))
def test_frequencies_are_a_table_that_follows_the_counts(counts: list[int]) -> None:
    ends = upper_ends(np.array(counts))
    frequency = np.diff(ends, prepend=0)
    assert ends[-1] == 4096
    assert frequency.min() >= 1
    if sum(counts):
        # Rounded to the next whole number, at least 1; the largest makes up for it.
        off = np.sort(np.abs(frequency - np.maximum(np.array(counts) * 4096 / sum(counts), 1)))
        assert off[:-1].max() <= 0.5
        assert off[-1] <= len(counts)


@pytest.mark.parametrize("count", [2, 3, 190, 4097, 79_800, 2**20])
def test_equally_likely_numbers_take_their_logarithm(count: int) -> None:
    rng, lanes, numbers = np.random.default_rng(count), np.arange(5), 400
    values = rng.integers(0, count, (numbers, 5))
    values[:, 3], values[:, 4] = 0, count - 1
    writer = Writer(5, 4 * numbers)
    for row in values:
        writer.equal(lanes, row, count)
    payload = writer.end()
    # Where all are 0 the zeros behind are dropped.
    assert payload.lengths[[0, 1, 2, 4]] * 8 == pytest.approx(numbers * math.log2(count), rel=0.01, abs=8)
    reader = Reader(payload.rows)
    assert np.array_equal([reader.equal(lanes, count) for _ in range(numbers)], values)


def test_indices_of_every_size_come_back_through_any_table() -> None:
    rng, lanes = np.random.default_rng(1), np.arange(300)
    upper = np.stack([upper_ends(rng.integers(0, 100, 16) ** 4) for _ in range(3)]).astype(np.uint16)
    assert are_tables(upper)
    assert not are_tables(upper[:, ::-1])
    assert not are_tables(upper - 1)
    indices = np.rint(rng.choice([-1, 1], (40, 300)) * 2.0 ** rng.uniform(-1, 15, (40, 300))).astype(np.int64)
    indices = indices.clip(-32767, 32767)
    tables, ends = rng.integers(0, 3, (40, 300)), symbol_ends(upper)
    writer = Writer(300, 400)
    for index, table in zip(indices, tables, strict=True):
        symbol = symbol_of(np.abs(index))
        own = np.stack([ends[table, symbol], ends[table, symbol + 1]], axis=1)
        writer.index(lanes, own, symbol, raw_of(np.abs(index), index < 0))
    payload = writer.end()
    assert payload.fits.all()
    reader = Reader(payload.rows)
    for index, table in zip(indices, tables, strict=True):
        assert np.array_equal(reader.index(lanes, reader.symbol(lanes, upper, table)), index)
