"""A `qcs_model_t` built in memory from tables: the C core on any model, without generating and compiling C text."""

import ctypes
from typing import Any

import numpy as np

from qcskit.codec.integer import EncoderTables


class CDense(ctypes.Structure):
    """qcs_dense_t of qcs.h."""

    _fields_ = (
        ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16), ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p), ("multiplier", ctypes.c_void_p), ("shift", ctypes.c_void_p),
        ("activation", ctypes.c_void_p), ("zero_point", ctypes.c_int8),
        ("stream", ctypes.c_void_p),
    )  # fmt: skip


class CFrontEnd(ctypes.Structure):
    """qcs_front_end_t of qcs.h."""

    _fields_ = (
        ("multiplier", ctypes.c_int32), ("offset", ctypes.c_int16),
        ("shift", ctypes.c_int8), ("zero_point", ctypes.c_int8),
    )  # fmt: skip


class CModel(ctypes.Structure):
    """qcs_model_t of qcs.h."""

    _fields_ = (
        ("id", ctypes.c_uint8 * 8), ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16),
        ("levels", ctypes.c_uint16), ("widest", ctypes.c_uint16), ("packed_bytes", ctypes.c_uint16),
        ("group_symbols", ctypes.c_uint8), ("group_bits", ctypes.c_uint8), ("hidden_count", ctypes.c_uint8),
        ("hidden", ctypes.POINTER(CDense)), ("weights", ctypes.c_void_p), ("thresholds", ctypes.c_void_p),
        ("front_end", CFrontEnd), ("stream", ctypes.c_void_p),
    )  # fmt: skip


class MemoryModel:
    """A qcs_model_t and the arrays it points to; `address` is what `qcskit.firmware.HostModel` takes.

    Keep the object alive as long as the address is used.
    """

    def __init__(self, tables: EncoderTables) -> None:
        self._arrays: list[Any] = []
        hidden = (CDense * max(1, len(tables.hidden)))()
        for slot, layer in zip(hidden, tables.hidden, strict=False):
            slot.outputs, slot.inputs = layer.weights.shape
            for name in ("weights", "bias", "multiplier", "shift", "activation"):
                setattr(slot, name, self._pointer(getattr(layer, name)))
            slot.zero_point = layer.zero_point
        symbols, bits = tables.packing.group
        end = tables.front_end
        self._struct = CModel(
            (ctypes.c_uint8 * 8)(*bytes.fromhex(tables.model_id)), tables.inputs, tables.outputs, tables.levels,
            max(tables.widths[:-1]), tables.packing.packed_bytes, symbols, bits, len(tables.hidden), hidden,
            self._pointer(tables.weights), self._pointer(tables.thresholds),
            CFrontEnd(end.multiplier, end.offset, end.shift, end.zero_point),
        )  # fmt: skip
        self.address = ctypes.addressof(self._struct)

    def _pointer(self, array: Any) -> int:
        array = np.ascontiguousarray(array)
        self._arrays.append(array)
        return int(array.ctypes.data)
