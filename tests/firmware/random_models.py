"""Random encoder tables and their C structs, for tests of the C core (not a test itself)."""

import ctypes
from itertools import pairwise
from typing import Any

import numpy as np

from qcskit.codec.integer import DenseTables, EncoderTables, FrontEnd

C_TYPES = {
    np.dtype(np.int8): ctypes.c_int8,
    np.dtype(np.int32): ctypes.c_int32,
}


class CDense(ctypes.Structure):
    """qcs_dense_t."""

    _fields_ = (
        ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16), ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p), ("multiplier", ctypes.c_void_p), ("shift", ctypes.c_void_p),
        ("activation", ctypes.c_void_p), ("zero_point", ctypes.c_int8),
        ("stream", ctypes.c_void_p),
    )  # fmt: skip


class CFrontEnd(ctypes.Structure):
    """qcs_front_end_t."""

    _fields_ = (
        ("multiplier", ctypes.c_int32), ("offset", ctypes.c_int16),
        ("shift", ctypes.c_int8), ("zero_point", ctypes.c_int8),
    )  # fmt: skip


class CModel(ctypes.Structure):
    """qcs_model_t."""

    _fields_ = (
        ("id", ctypes.c_uint8 * 8), ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16),
        ("levels", ctypes.c_uint16), ("widest", ctypes.c_uint16), ("packed_bytes", ctypes.c_uint16),
        ("group_symbols", ctypes.c_uint8), ("group_bits", ctypes.c_uint8), ("hidden_count", ctypes.c_uint8),
        ("hidden", ctypes.POINTER(CDense)), ("weights", ctypes.c_void_p), ("thresholds", ctypes.c_void_p),
        ("front_end", CFrontEnd), ("stream", ctypes.c_void_p),
    )  # fmt: skip


class ModelInMemory:
    """A qcs_model_t built from tables; keeps the arrays alive. `address` is what HostModel takes."""

    def __init__(self, tables: EncoderTables) -> None:
        self._keep: list[Any] = []
        hidden = (CDense * max(1, len(tables.hidden)))()
        for slot, layer in zip(hidden, tables.hidden, strict=False):
            slot.outputs, slot.inputs = layer.weights.shape
            for name in ("weights", "bias", "multiplier", "shift", "activation"):
                setattr(slot, name, self._pointer(getattr(layer, name)))
            slot.zero_point = layer.zero_point
        symbols, bits = tables.packing.group
        end = tables.front_end
        self.struct = CModel(
            (ctypes.c_uint8 * 8)(*bytes.fromhex(tables.model_id)), tables.inputs, tables.outputs, tables.levels,
            max(tables.widths[:-1]), tables.packing.packed_bytes, symbols, bits, len(tables.hidden), hidden,
            self._pointer(tables.weights), self._pointer(tables.thresholds),
            CFrontEnd(end.multiplier, end.offset, end.shift, end.zero_point),
        )  # fmt: skip
        self.address = ctypes.addressof(self.struct)

    def _pointer(self, array: Any) -> int:
        array = np.ascontiguousarray(array)
        self._keep.append(array)
        return int(array.ctypes.data)


def random_tables(rng: np.random.Generator, widths: list[int], levels: int) -> EncoderTables:
    """Return tables whose accumulators spread over the whole int8 grid and over all thresholds."""
    hidden = tuple(_random_layer(rng, a, b) for a, b in pairwise(widths[:-1]))
    weights = rng.integers(-127, 128, (widths[-1], widths[-2]), np.int8)
    spread = int(3 * np.sqrt((weights.astype(float) ** 2).sum(axis=1).max()) * 70) + levels
    thresholds = np.sort(rng.integers(-spread, spread, (widths[-1], levels - 1), np.int32), axis=1)
    front_end = FrontEnd(int(rng.integers(-2000, 2000)), int(rng.integers(1 << 30, 1 << 31)),
                         int(rng.integers(-10, 3)), int(rng.integers(-128, 128)))  # fmt: skip
    return EncoderTables(hidden, weights, thresholds, front_end)


def _random_layer(rng: np.random.Generator, inputs: int, outputs: int) -> DenseTables:
    weights = rng.integers(-127, 128, (outputs, inputs), np.int8)
    gain = 60.0 / (70.0 * np.sqrt((weights.astype(float) ** 2).sum(axis=1)) + 1)  # acc → about ±180 on the grid
    mantissa, exponent = np.frexp(gain)
    return DenseTables(
        weights=weights,
        bias=rng.integers(-20000, 20000, outputs, np.int32),
        multiplier=np.minimum(np.round(mantissa * 2**31), 2**31 - 1).astype(np.int32),
        shift=exponent.astype(np.int8),
        zero_point=int(rng.integers(-128, 128)),
        activation=np.sort(rng.integers(-128, 128, 256, np.int8)),
    )
