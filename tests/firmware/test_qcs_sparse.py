"""The C of the sparse codec where random vectors seldom go: every rounding decides, sizes are odd, bits are few."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.bundles import sparse_bundle

from qcskit.codec.interface import Packets
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
    cells = np.arange(-255, 256, dtype=np.int16)
    pairs = np.rint(made.tables.pairs / 2.0 ** (made.tables.pair_bits - 6)).astype(np.int16)
    fine = replace(made.tables, pair_bits=6, pairs=pairs, thresholds=cells, coarse=cells, limit=200, align=0)
    points = np.stack([cells[256::3], cells[256::3][::-1]], axis=1)
    empty = np.empty(0, np.int16)
    return {
        "fine": fine,
        "unguarded": replace(fine, limit=0, coarse=empty),
        "plane": replace(fine, thresholds=empty, plane=points, axis=cells[256::2], windows=3),
        "single": replace(fine, sparsity=1, pairs=np.empty((0, 2), np.int16), pair_bits=0, windows=2, bits=17),
        "small": replace(fine, thresholds=cells[254:257], coarse=cells[255:256], bits=9, windows=7),
    }


@pytest.mark.parametrize("name", ["fine", "unguarded", "plane", "single", "small"])
def test_every_rounding_is_the_definition_s(name: str, tmp_path: Path) -> None:
    tables = shapes(tmp_path / "b")[name]
    tables.check()
    files = c_files("tiny", "0" * 16, tables, "few bits.", 5)
    host = HostCodec(build_host_library(c_directory(files)), "qcs_tiny_codec")
    rng = np.random.default_rng(2)
    sizes = 10.0 ** rng.uniform(1, 2.7, (900, 1))
    counts = np.rint(sizes * rng.standard_normal((900, tables.windows * 5))).astype(np.int16)
    words = words_of(tables, search(tables, aligned(tables, counts)))
    packets = Packets.rows(pack(tables, words))
    assert not packets.differ(Packets.rows(*host.encode(counts))).any()
    assert list(packets.select(slice(0, 100))) == [packet_of(tables, row) for row in counts[:100].tolist()]
    assert len(np.unique(words)) > 150
