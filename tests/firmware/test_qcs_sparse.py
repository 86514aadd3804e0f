"""The C of the sparse codec where random vectors seldom go: every rounding decides, sizes are odd, bits are few."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import range_bundle, sparse_bundle

from qcskit.codec.interface import Packets
from qcskit.codec.sparse import range_code
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.c_text import c_files
from qcskit.codec.sparse.definition import packet_of
from qcskit.codec.sparse.search import aligned, search
from qcskit.codec.sparse.tables import Tables
from qcskit.codec.sparse.words import pack, words_of
from qcskit.firmware import HostCodec, build_host_library, c_directory


def shapes(path: Path) -> dict[str, Tables]:
    """Return tables whose cells are single integers about 0, with few fraction bits, odd sizes and every code."""
    made = sparse_bundle(path, bits=31, windows=1, signal={"n": 7, "m": 5, "matrix": "gaussian"})
    assert isinstance(made, SparseCodec)
    cells = np.arange(1, 256, dtype=np.int16)
    pairs = np.rint(made.tables.pairs / 2.0 ** (made.tables.pair_bits - 6)).astype(np.int16)
    fine = replace(made.tables, pair_bits=6, pairs=pairs, thresholds=cells, coarse=cells, limit=200, align=0)
    points = np.stack([cells[::3], cells[::3][::-1]], axis=1)
    empty = np.empty(0, np.int16)
    lone: dict[str, Any] = {"sparsity": 1, "pairs": np.empty((0, 2), np.int16), "pair_bits": 0}
    coder = range_bundle(path.with_name("range")).tables.symbols
    coded = replace(fine, thresholds=empty, coarse=empty, symbols=coder, multiplier=1025, index_shift=11, least=2,
                    coarse_shift=3, flag=900, windows=16)  # fmt: skip
    few = {"thresholds": empty, "coarse": empty, "plane": points, "axis": cells[::2], "coarse_axis": cells[::7]}
    return {
        "fine": fine,
        "unguarded": replace(fine, limit=0, coarse=empty),
        "plane": replace(fine, **few, coarse_plane=points[::9], windows=3),
        "plane_lone": replace(fine, **few),
        "single": replace(fine, **lone, windows=2, bits=17),
        "range": coded,
        "range_single": replace(coded, **lone, windows=19, limit=0, flag=0, symbols=coder[:1]),
        "small": replace(fine, thresholds=cells[:1], coarse=empty, bits=9, windows=7),
    }


NAMES = ("fine", "unguarded", "plane", "plane_lone", "single", "range", "range_single", "small")


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tables]:
    return shapes(tmp_path_factory.mktemp("shapes") / "b")


def sent(tables: Tables, counts: np.ndarray) -> tuple[Packets, np.ndarray]:
    """Return packets, and what vectors are sent as: a row each."""
    found = search(tables, aligned(tables, counts))
    if tables.code == "range":
        read = range_code.read_of(tables, found)
        return range_code.encode(tables, read), np.column_stack([read.support, read.cells, read.flagged])
    words = words_of(tables, found)
    return Packets.rows(pack(tables, words)), words[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_every_rounding_is_the_definition_s(name: str, every: dict[str, Tables]) -> None:
    tables = every[name]
    tables.check()
    files = c_files("tiny", "0" * 16, tables, "few bits.", 5)
    host = HostCodec(build_host_library(c_directory(files)), "qcs_tiny_codec")
    rng = np.random.default_rng(2)
    sizes = 10.0 ** rng.uniform(1, 2.7, (900, 1))
    counts = np.rint(sizes * rng.standard_normal((900, tables.windows * 5))).astype(np.int16)
    packets, words = sent(tables, counts)
    assert not packets.differ(Packets.rows(*host.encode(counts))).any()
    some = 100 if tables.windows < 16 else 20
    assert list(packets.select(slice(0, some))) == [packet_of(tables, row) for row in counts[:some].tolist()]
    assert len(np.unique(words, axis=0)) > 150
