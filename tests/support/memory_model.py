"""An int8 codec built in memory from its tables: the C core on any model, without generating and compiling C text."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from qcskit.codec.learned.int8 import Int8Tables
from qcskit.firmware.host import CodecStruct, HostCodec


class CLayer(ctypes.Structure):
    """qcs_int8_layer_t of qcs_int8.h."""

    _fields_ = (
        ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16), ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p), ("multiplier", ctypes.c_void_p), ("shift", ctypes.c_void_p),
        ("activation", ctypes.c_void_p), ("zero_point", ctypes.c_int8), ("stream", ctypes.c_void_p),
    )  # fmt: skip


class CFrontEnd(ctypes.Structure):
    """qcs_front_end_t of qcs_front_end.h."""

    _fields_ = (
        ("multiplier", ctypes.c_int32), ("offset", ctypes.c_int16),
        ("shift", ctypes.c_int8), ("zero_point", ctypes.c_int8),
    )  # fmt: skip


class CModel(ctypes.Structure):
    """qcs_int8_model_t of qcs_int8.h."""

    _fields_ = (
        ("id", ctypes.c_uint8 * 8), ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16),
        ("levels", ctypes.c_uint16), ("widest", ctypes.c_uint16), ("packed_bytes", ctypes.c_uint16),
        ("group_symbols", ctypes.c_uint8), ("group_bits", ctypes.c_uint8), ("hidden_count", ctypes.c_uint8),
        ("hidden", ctypes.POINTER(CLayer)), ("weights", ctypes.c_void_p), ("thresholds", ctypes.c_void_p),
        ("front_end", ctypes.POINTER(CFrontEnd)), ("front_run", ctypes.c_uint16),
        ("stream", ctypes.c_void_p), ("pack", ctypes.c_void_p),
    )  # fmt: skip


class MemoryCodec(HostCodec):
    """The C encoder of a host library on tables in memory, which this object owns.

    library: from `build_host_library`, with or without a model of its own.
    """

    def __init__(self, library: Path, tables: Int8Tables) -> None:
        self._arrays: list[Any] = []
        self._model, packing = self._c_model(tables), tables.packing
        self._struct = CodecStruct(
            ctypes.addressof(self._model), ctypes.pointer(self._model.id), tables.inputs, tables.outputs,
            tables.levels, 1, packing.packed_bytes, 2 * max(tables.widths[:-1]), 1, 3,
            ctypes.cast(ctypes.CDLL(str(library)).qcs_encode_int8, ctypes.c_void_p),
        )  # fmt: skip
        super().__init__(library, ctypes.addressof(self._struct))

    def _c_model(self, tables: Int8Tables) -> CModel:
        hidden = (CLayer * max(1, len(tables.hidden)))()
        for slot, layer in zip(hidden, tables.hidden, strict=False):
            slot.outputs, slot.inputs = layer.weights.shape
            for name in ("weights", "bias", "multiplier", "shift", "activation"):
                setattr(slot, name, self._pointer(getattr(layer, name)))
            slot.zero_point = layer.zero_point
        symbols, bits = tables.packing.group
        rows = [(multiplier, offset, shift, zero) for offset, multiplier, shift, zero in tables.front_end.rows()]
        self._front_ends = (CFrontEnd * len(rows))(*(CFrontEnd(*row) for row in rows))
        return CModel(
            (ctypes.c_uint8 * 8)(*bytes.fromhex(tables.model_id)), tables.inputs, tables.outputs, tables.levels,
            max(tables.widths[:-1]), tables.packing.packed_bytes, symbols, bits, len(tables.hidden), hidden,
            self._pointer(tables.weights), self._pointer(tables.thresholds),
            self._front_ends, tables.inputs if len(rows) == 1 else 1,
        )  # fmt: skip

    def _pointer(self, array: Any) -> int:
        array = np.ascontiguousarray(array)
        self._arrays.append(array)
        return int(array.ctypes.data)
