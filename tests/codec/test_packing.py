"""Indices to bytes and back, against base-I numbers in Python's own integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(2, 256), st.integers(0, 2**32))
def test_pack_is_a_bit_stream_of_base_i_numbers(count: int, levels: int, seed: int) -> None:
    packing = Packing(count, levels)
    index = np.random.default_rng(seed).integers(0, levels, (5, count)).astype(np.uint8)
    packed = packing.pack(index)
    symbols, bits = packing.group
    for row, found in zip(index.tolist(), packed, strict=True):
        stream, at = 0, 0
        for start in range(0, count, symbols):
            group = row[start : start + symbols]
            stream |= sum(value * levels**place for place, value in enumerate(group)) << at
            at += bits if len(group) == symbols else (levels ** len(group) - 1).bit_length()
        assert at == packing.packed_bits
        assert int.from_bytes(found.tobytes(), "little") == stream
    assert np.array_equal(packing.unpack(packed), index)


def test_damaged_bytes_are_noticed() -> None:
    packing = Packing(5, 3)  # 3^5 = 243 of 256 values
    with pytest.raises(QcsError, match="packed frame 1 holds no valid indices"):
        packing.unpack(np.array([[242], [243]], np.uint8))
    with pytest.raises(QcsError, match="unused bits"):
        Packing(1, 2).unpack(np.array([[2]], np.uint8))
    for bad in (np.zeros((2, 2), np.uint8), np.zeros(1, np.uint8), np.zeros((2, 1), np.int8)):
        with pytest.raises(QcsError, match=r"expected uint8 \(frames, 1\)"):
            packing.unpack(bad)


def test_wrong_indices_are_refused() -> None:
    with pytest.raises(QcsError, match="an index is 3, largest allowed 2"):
        Packing(2, 3).pack(np.array([[0, 3]], np.uint8))
    with pytest.raises(QcsError, match=r"expected \(frames, 2\)"):
        Packing(2, 3).pack(np.zeros((2, 3), np.uint8))
    with pytest.raises(QcsError, match="at least one index"):
        Packing(0, 3)


@pytest.mark.parametrize("levels", [1, 257])
def test_a_quantizer_has_2_to_256_levels(levels: int) -> None:
    with pytest.raises(QcsError, match=rf"^levels = {levels}: a quantizer has 2 … 256 levels$"):
        Packing(4, levels)
