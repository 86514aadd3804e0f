"""Proofs that fail: one line that names the column, the pair or the number at fault."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.bundles import sparse_bundle

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
