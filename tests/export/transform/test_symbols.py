"""Symbol tables: against code lengths in plain Python, and against the packets that they make."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.transform import transform_tables

from qcskit.codec.transform.coder import encode_range
from qcskit.codec.transform.definition import packet_of
from qcskit.codec.transform.tables import Tables
from qcskit.export.transform import symbols
from qcskit.export.transform.symbols import classes_of, clustered, range_tables, rice_table


def indices(tables: Tables, windows: int, loud: float = 8.0) -> NDArray[np.int64]:
    """Return Laplacian indices (windows, K) that fall with k."""
    size = loud / (1 + np.arange(tables.rows))
    return np.rint(np.random.default_rng(3).laplace(0, size, (windows, tables.rows))).astype(np.int64)


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 40, 512])
def test_every_row_has_a_class_and_the_first_their_own(rows: int) -> None:
    found = classes_of(rows)
    assert found.tolist() == sorted(found)
    assert set(np.diff(found)) <= {0, 1}
    assert found.max() == min(rows, 16) - 1
    assert found[: min(rows, 6)].tolist() == list(range(min(rows, 6)))


def test_clusters_are_those_of_the_cheapest_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "TABLES", 3)
    rng = np.random.default_rng(1)
    cells = np.stack([rng.multinomial(400, rng.dirichlet(np.full(16, 0.3))) for _ in range(12)])
    found = clustered(cells)
    assert sorted(set(found)) == [0, 1, 2]
    assert {frozenset(np.flatnonzero(found == number)) for number in range(3)} == merged(cells, 3)


def merged(cells: NDArray[np.int64], left: int) -> set[frozenset[int]]:
    """Return what merging the cheapest pair, again and again, comes to."""

    def bits(group: frozenset[int]) -> float:
        counts = [int(sum(cells[cell][symbol] for cell in group)) for symbol in range(16)]
        return -sum(count * math.log2(count / sum(counts)) for count in counts if count)

    groups = {frozenset([cell]) for cell in range(len(cells))}
    while len(groups) > left:
        pairs = [(bits(a | b) - bits(a) - bits(b), a, b) for a in groups for b in groups if min(a) < min(b)]
        _, a, b = min(pairs, key=lambda pair: pair[0])
        groups = groups - {a, b} | {a | b}
    return groups


@pytest.mark.parametrize("rows", [5, 40])
def test_cells_that_were_not_seen_take_the_nearest_table(rows: int) -> None:
    bare = transform_tables(n=64, rows=rows)
    index = np.zeros((300, rows), np.int64)
    index[:, 0] = np.arange(300) % 3  # row 0 in context 0 alone is ever seen
    index[0, : bare.group + 1] = 1
    trained = range_tables(bare, index)
    replace(bare, **trained).check()
    assert len(set(trained["contexts"][0])) == 1
    # Where nothing was sent at all there are tables too.
    replace(bare, **range_tables(bare, np.zeros((10, rows), np.int64))).check()


def test_trained_tables_come_within_a_percent_of_the_entropy_of_independent_symbols() -> None:
    bare = transform_tables(n=16, rows=1, windows=50)
    index = np.random.default_rng(4).integers(-1, 2, (50_000, 1))
    tables = replace(bare, **range_tables(bare, index))
    sent = encode_range(tables, index.reshape(-1, 50, 1), None).lengths.sum() * 8
    # One symbol of three that are equally likely: end position, magnitude and sign together.
    assert sent == pytest.approx(50_000 * math.log2(3), rel=0.01)


def test_training_saves_bytes_on_other_indices() -> None:
    bare = transform_tables(n=32, rows=32, windows=4)
    index = indices(bare, 8000)
    tables = replace(bare, **range_tables(bare, index[:4000]))
    fresh = index[4000:].reshape(-1, 4, 32)
    flat = np.cumsum(np.full(16, 256))[None].astype(np.uint16)
    untrained = replace(tables, symbols=np.repeat(flat, len(tables.symbols), axis=0))
    assert 1.3 * encode_range(tables, fresh, None).lengths.sum() < encode_range(untrained, fresh, None).lengths.sum()


def test_rice_parameters_make_the_shortest_packets() -> None:
    bare = transform_tables(n=8, rows=3, windows=1, coder="rice", step=1.0)
    index = indices(bare, 400, loud=90)
    index[:, 2] = 0
    index[::7, 2] = 20_000
    own = {"rice": rice_table(bare, index)["rice"]}
    for row in range(2):

        def bits(parameter: int, row: int = row) -> int:
            return sum(length(abs(int(a)), parameter) for a in index[used(index, row), row])

        assert bits(int(own["rice"][row])) == min(bits(parameter) for parameter in range(15))


def length(a: int, p: int) -> int:
    """Return the bits of a magnitude without its sign, by the page."""
    return (a >> p) + 1 + p if a >> p < 15 else 30


def used(index: NDArray[Any], row: int) -> NDArray[np.bool_]:
    """Return in which windows a row is sent, one row per group."""
    return index[:, row:].any(axis=1)


def test_the_definition_reads_trained_tables() -> None:
    bare = transform_tables(n=16, rows=9)
    tables = replace(bare, **range_tables(bare, indices(bare, 500)))
    assert len(packet_of(tables, [tables.centre] * tables.inputs)) == 1


def test_code_lengths_beyond_the_table_are_interpolated() -> None:
    end = 1 << 20
    found = symbols._lengths(end)
    for n in [1, 2, 16_383, 16_384, 16_385, 65_537, 999_983, end - 1]:
        assert found[n] == pytest.approx(n * math.log2(n) * 65536, rel=1e-8, abs=1)
