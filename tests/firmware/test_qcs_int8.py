"""The int8 core in C against the NumPy reference, over random models."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.memory_model import MemoryCodec
from support.tables import index_of, packed_of, random_tables

from qcskit.codec.learned.chain import FrontEnd, requantize
from qcskit.codec.learned.int8 import Int8Tables
from qcskit.codec.packing import Packing
from qcskit.firmware import build_host_library

LIBRARY = build_host_library()


def encoded(tables: Int8Tables, vectors: np.ndarray) -> np.ndarray:
    answer = MemoryCodec(LIBRARY, tables).encode(vectors)
    assert (answer.lengths == tables.packing.packed_bytes).all()
    return answer.rows


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 48), min_size=2, max_size=6),
    levels=st.integers(2, 256),
)
def test_random_models_agree_bit_for_bit(seed: int, widths: list[int], levels: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, widths, levels)
    x = rng.integers(-128, 128, (64, widths[0]), np.int8)
    x[:2] = [[-128], [127]]
    packed = encoded(tables, x)
    assert np.array_equal(tables.packing.unpack(packed), index_of(tables, x))
    assert np.array_equal(packed, packed_of(tables, x))
    counts = rng.integers(-32768, 32768, (64, widths[0])).astype(np.int16)
    assert np.array_equal(encoded(tables, counts), packed_of(tables, counts))


def test_every_attainable_accumulator_of_a_layer_lands_in_the_right_cell() -> None:
    """Weights (127, 1) and all 65,536 inputs reach every accumulator, so every neighbour of every threshold."""
    rng = np.random.default_rng(5)
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    x = np.stack([a.ravel(), b.ravel()], axis=1).astype(np.int8)
    acc = x.astype(int) @ np.array([127, 1])
    for levels in (2, 3, 4, 16, 255, 256):
        thresholds = np.sort(rng.integers(acc.min() - 5, acc.max() + 5, (6, levels - 1), np.int32), axis=1)
        thresholds[0] = acc.min()  # all equal, all reached
        thresholds[1] = acc.max() + 1  # none reached
        thresholds[2, : levels // 2] = -(2**31)
        thresholds[2, levels // 2 :] = 2**31 - 1
        weights = np.tile(np.array([127, 1], np.int8), (6, 1))
        tables = Int8Tables((), weights, thresholds, FrontEnd(0, 1 << 30, 0, 0))
        counted = np.stack([(acc[:, None] >= row).sum(axis=1) for row in thresholds], axis=1)
        assert np.array_equal(tables.packing.unpack(encoded(tables, x)), counted)


@pytest.mark.parametrize("levels", range(2, 257))
def test_packing_of_every_level_count(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for outputs in {1, 2, int(rng.integers(3, 90))}:
        # Identity weights and unit steps: the index is the input, so any index can be asked for.
        thresholds = np.tile(np.arange(-127, -127 + levels - 1, dtype=np.int32), (outputs, 1))
        tables = Int8Tables((), np.eye(outputs, dtype=np.int8), thresholds, FrontEnd(0, 1 << 30, 0, 0))
        index = rng.integers(0, levels, (20, outputs)).astype(np.uint8)
        index[0], index[1] = 0, levels - 1
        packed = encoded(tables, (index.astype(int) - 128).astype(np.int8))
        packing = Packing(outputs, levels)
        assert np.array_equal(packed, packing.pack(index))
        assert np.array_equal(packing.unpack(packed), index)


SHIM = """
#include "qcs_int8_kernels.h"
void shim_requantize(const int32_t *acc, const int32_t *multiplier, const int8_t *shift, int32_t *out, int n);
void shim_requantize(const int32_t *acc, const int32_t *multiplier, const int8_t *shift, int32_t *out, int n) {
  for (int i = 0; i < n; i++)
    out[i] = qcs_requantize(acc[i], multiplier[i], shift[i]);
}
void shim_to_grid(const int32_t *value, const int8_t *zero_point, int8_t *out, int n);
void shim_to_grid(const int32_t *value, const int8_t *zero_point, int8_t *out, int n) {
  for (int i = 0; i < n; i++)
    out[i] = qcs_int8_to_grid(value[i], zero_point[i]);
}
"""


def gemmlowp_requantize(acc: int, multiplier: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier as gemmlowp writes it: nudge and truncating division, not a floor shift."""
    product = (acc << max(shift, 0)) * multiplier
    nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = max(-shift, 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def test_requantize_over_edge_values(tmp_path: Path) -> None:
    (tmp_path / "shim.c").write_text(SHIM)
    library = ctypes.CDLL(
        str(build_host_library(tmp_path, extra_flags=("-fsanitize=undefined", "-fno-sanitize-recover")))
    )
    rng = np.random.default_rng(0)
    powers = [s * 2**p + d for p in range(31) for d in (-1, 0, 1) for s in (1, -1)]
    edges = np.array([a for a in powers if -(2**31) <= a < 2**31] + [-(2**31), 2**31 - 1])
    multipliers = np.array([0, 1, 5, 1 << 30, (1 << 30) + 1, 3 << 29, (1 << 31) - 1, 1518500250])
    acc, multiplier, shift = (grid.ravel() for grid in np.meshgrid(edges, multipliers, np.arange(-31, 31)))
    extra = 40_000
    acc = np.concatenate([acc, rng.integers(-(2**31), 2**31, extra)])
    multiplier = np.concatenate([multiplier, rng.integers(2**30, 2**31, extra) >> rng.choice([0, 0, 1, 20], extra)])
    shift = np.concatenate([shift, rng.integers(-31, 31, extra)])
    fits = (acc << np.maximum(shift, 0) >= -(2**31)) & (acc << np.maximum(shift, 0) < 2**31)
    acc, multiplier, shift = acc[fits].astype(np.int32), multiplier[fits].astype(np.int32), shift[fits].astype(np.int8)
    out = np.empty(len(acc), np.int32)
    library.shim_requantize(*(ctypes.c_void_p(v.ctypes.data) for v in (acc, multiplier, shift, out)), len(acc))
    wanted = [gemmlowp_requantize(int(a), int(m), int(s)) for a, m, s in zip(acc, multiplier, shift, strict=True)]
    assert np.array_equal(out, wanted)
    assert np.array_equal(requantize(acc.astype(np.int64), multiplier, shift), wanted)

    zero_point = rng.integers(-128, 128, len(edges)).astype(np.int8)
    grid = np.empty(len(edges), np.int8)
    value = edges.astype(np.int32)
    library.shim_to_grid(*(ctypes.c_void_p(v.ctypes.data) for v in (value, zero_point, grid)), len(edges))
    assert np.array_equal(grid, (edges + zero_point).clip(-128, 127))


def test_counts_of_every_value_agree() -> None:
    rng = np.random.default_rng(3)
    counts = np.arange(-32768, 32768).astype(np.int16)[:, None]
    for _ in range(20):
        tables = random_tables(rng, [1, 4], 200)
        assert np.array_equal(encoded(tables, counts), packed_of(tables, counts))
