"""Chunks of vectors: the same wherever they are drawn, edges on edges, corners in corners."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import coded_bundle
from support.tables import edge_distances, edge_vectors, uniform_vectors

from qcskit.codec.interface import Codec
from qcskit.codec.own_data import OwnData
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.vectors import Part, chunk_count, corners, draw_chunk, own_chunk, uniform_counts


def drawn(codec: Codec, number: int) -> dict[str, Part]:
    return {part.name: part for part in draw_chunk(codec, 7, number, 2_000)}


def test_chunks_are_reproducible_and_edges_are_edges(codec: Codec) -> None:
    one, again, other = drawn(codec, 3), drawn(codec, 3), drawn(codec, 4)
    assert list(one) == ["source", "uniform", "corners", "edges", "inputs"]
    assert sum(len(part.values) for part in one.values()) == 2_000
    for name, part in one.items():
        np.testing.assert_array_equal(part.values, again[name].values)
        assert (part.values != other[name].values).any()

    far = {name: np.median(edge_distances(codec.tables, one[name].values)) for name in ("edges", "uniform")}
    assert far["edges"] * 4 <= far["uniform"]
    assert np.isin(one["corners"].values, [-32768, -32767, 32766, 32767]).mean() > 0.4
    assert np.isin(one["inputs"].values, [-128, -127, 126, 127]).mean() > 0.4


@pytest.mark.parametrize(
    ("vectors", "with_inputs", "without"),
    [
        (2000, [800, 300, 200, 400, 300], [1100, 300, 200, 400]),
        (10, [3, 2, 1, 2, 2], [5, 2, 1, 2]),
        (3, [2, 1], [2, 1]),
        (1, [1], [1]),
    ],
)
def test_every_set_has_its_share_and_the_source_what_is_left(
    codec: Codec, tmp_path: Path, vectors: int, with_inputs: list[int], without: list[int]
) -> None:
    for made, expected in ((codec, with_inputs), (coded_bundle(tmp_path / "b"), without)):
        parts = draw_chunk(made, 7, 0, vectors)
        assert [len(part.values) for part in parts] == expected
        assert sum(expected) == vectors
        assert [part.name for part in parts if part.x is not None] == ["source"]
        assert {part.name: part.values.dtype for part in parts}.get("inputs", np.int8) == np.int8


def test_chunks_are_ten_thousand_and_those_of_one_s_own_follow(codec: Codec) -> None:
    assert [chunk_count(SimulateConfig(vectors=n)) for n in (1, 10_000, 10_001, 20_000)] == [1, 1, 2, 2]
    assert [chunk_count(SimulateConfig(vectors=1), own) for own in (0, 1, 10_000, 10_001)] == [1, 2, 2, 3]
    own = OwnData(np.arange(10_003)[:, None].astype(np.int16), None)
    assert [part.values[[0, -1], 0].tolist() for k in (0, 1) for part in own_chunk(own, k)] == [
        [0, 9999],
        [10_000, 10_002],
    ]


def test_edges_of_bare_tables_are_edges(codec: Codec) -> None:
    rng, tables = np.random.default_rng(1), codec.tables
    far = [np.median(edge_distances(tables, make(tables, 400, rng))) for make in (edge_vectors, uniform_vectors)]
    assert far[0] * 4 <= far[1]


@pytest.mark.parametrize("centre", [0, 2048, -5000, 32767])
def test_uniform_counts_stand_about_the_converter_s_offset(centre: int) -> None:
    """In ranges from 65,536 counts down to 256: as many of each of the nine."""
    codec: Any = SimpleNamespace(inputs=200, centre=centre)
    off = uniform_counts(codec, 900, np.random.default_rng(0)).astype(int) - centre
    reach = np.abs(off).max(axis=1)
    least, most = off.min(), off.max()
    assert (least, most) == pytest.approx((max(-32768, -32768 - centre), min(32767, 32767 - centre)), abs=50)
    for shift in range(9):
        half = 32768 >> shift
        assert (reach <= half).mean() == pytest.approx((9 - shift) / 9, abs=0.05) or half > 32767 - abs(centre)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_corners_hold_each_of_the_four_extremes(dtype: type[np.signedinteger[Any]]) -> None:
    values, info = corners(10, 400, np.random.default_rng(0), dtype), np.iinfo(dtype)
    for extreme in (info.min, info.min + 1, info.max - 1, info.max):
        assert (values == extreme).mean() > 0.1


class Lazy(np.random.Generator):
    """Draws no extreme where it can draw a uniform value, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))
        self.uniform_ends: list[tuple[int, int]] = []

    def random(self, size: Any = None, *_: Any) -> Any:
        return np.zeros(size) if size[-1] > 1 else np.ones(size)

    def integers(self, low: Any, high: Any = None, size: Any = None, *_: Any, endpoint: bool = False) -> Any:
        self.uniform_ends.append((low, high + endpoint - 1))
        return np.zeros(size, np.int64)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_what_is_no_corner_is_uniform_up_to_both_ends(dtype: type[np.signedinteger[Any]]) -> None:
    rng, info = Lazy(), np.iinfo(dtype)
    assert (corners(10, 40, rng, dtype) == 0).all()
    assert rng.uniform_ends == [(info.min, info.max), (0, 3)]
