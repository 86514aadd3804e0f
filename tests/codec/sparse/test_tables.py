"""Proofs that fail: one line that names the column, the pair or the number at fault."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.bundles import range_bundle, sparse_bundle

from qcskit.codec.errors import QcsError
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.tables import Tables, check_residual


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    made = sparse_bundle(tmp_path_factory.mktemp("sparse") / "b")
    assert isinstance(made, SparseCodec)
    made.tables.check()
    return made.tables


def steep(tables: Tables) -> np.ndarray:
    pairs = tables.pairs.copy()
    pairs[3] = 32767
    return pairs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"phi": np.where(np.arange(8)[:, None] == 5, 32767, t.phi).astype(np.int16)}, r"phi: column 5 rea"),
        (lambda t: {"pairs": steep(t)}, r"pairs: pair \(0, 4\) reaches t = "),
        (lambda t: {"pair_bits": t.pair_bits - 1}, r"pairs: pair \(\d, \d\) reaches t = "),
        (lambda t: {"phi_bits": 16}, "phi_bits is 16, outside 8 … 15"),
        (lambda t: {"limit": 2**31 - 1}, "limit: 2147483647 times 6 inputs leaves 32 bits"),
        (lambda t: {"align": t.align + 1}, "align: counts from -2048 to 2047 become -65536 … 65504, beyond int16"),
        (lambda t: {"bits": t.bits - 1}, "words: there are .*, 12 bits hold 4096"),
        (lambda t: {"coarse_axis": t.thresholds}, "coarse_axis: it goes with plane and the guard"),
        (lambda t: {"thresholds": t.thresholds - t.thresholds[0]}, "thresholds: at most 255 magnitudes above 0"),
        (lambda t: {"thresholds": np.arange(1, 257, dtype=np.int16)}, "thresholds: at most 255 magnitudes above 0"),
        (lambda t: {"limit": 0}, "coarse: there is no guard that it belongs to"),
        (lambda t: {"residual_shift": 30}, "residual_shift 30 is no shift"),
        (lambda t: {"plane": np.ones((1, 2), np.int16)}, "plane: it goes with axis and without thresholds"),
    ],
)  # fmt: skip
def test_what_could_overflow_is_named(tables: Tables, change: Any, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        replace(tables, **change(tables)).check()


def test_a_residual_that_could_overflow_names_its_pair(tables: Tables) -> None:
    pairs = tables.pairs.astype(np.int64)
    pairs[9] *= 9
    with pytest.raises(QcsError, match=r"phi: pair \(1, 4\) reaches a residual of \d+, int32 ends"):
        check_residual(replace(tables, pairs=pairs))


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    made = range_bundle(tmp_path_factory.mktemp("range") / "b")
    assert isinstance(made, SparseCodec)
    return made.tables


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"multiplier": 2048}, r"multiplier 2048, index_shift \d+ or coarse_shift 2 is none of this code"),
        (lambda t: {"coarse_shift": 20}, "coarse_shift 20 is none"),
        (lambda t: {"index_shift": 10}, "index_shift 10 or"),
        (lambda t: {"least": 0}, "least is 0: what it leaves begins above index 1, or is nothing"),
        (lambda t: {"least": 3 * t.least}, r"least is \d+: what it leaves begins above index 1"),
        (lambda t: {"symbols": t.symbols[:2]}, "symbols: 4 tables are needed, of upper ends that rise from above 0"),
        (lambda t: {"symbols": t.symbols[:, ::-1]}, "symbols: 4 tables are needed"),
        (lambda t: {"flag": 0}, r"flag is 0, it must be 1 … 4095"),
        (lambda t: {"flag": 4096}, "flag is 4096, it must be 1 … 4095"),
        (lambda t: {"limit": 0, "symbols": t.symbols[:2]}, r"flag is \d+, it must be 0"),
    ],
)
def test_numbers_of_no_range_code_are_named(coded: Tables, change: Any, message: str) -> None:
    coded.check()
    with pytest.raises(QcsError, match=message):
        replace(coded, **change(coded)).check()
