"""The implementations that must agree, each one function: int8 inputs (frames, M) → packed bytes."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qcskit import firmware
from qcskit.codec import fast, litert
from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.integer import FrontEnd
from qcskit.firmware import HostModel, build_host_library
from qcskit.firmware_sim import tflm
from qcskit.firmware_sim.native import NativeOracle

Encode = Callable[[NDArray[np.int8]], NDArray[np.uint8]]
Role = Literal["reference", "must agree", "oracle", "reported"]


@dataclass(frozen=True)
class Implementation:
    """One way to compute the encoder.

    role: `reported` ones are counted but do not fail the check. limit: most vectors of a run it computes, None = all.
    """

    name: str
    role: Role
    encode: Encode
    limit: int | None = None


def host_model(bundle: Bundle, compiler: str | None = None) -> HostModel:
    """Return the bundle's own exported C, compiled for this machine. Raises QcsError if it is of another model."""
    library = build_host_library(bundle.path / "c", compiler=compiler)
    model = HostModel(library, f"qcs_model_{bundle.manifest.name}")
    if model.model_id != bundle.manifest.model_id:
        raise QcsError(f"bundle '{bundle.path}': the C text is of model {model.model_id}, manifest.json of "
                       f"{bundle.manifest.model_id}; run 'qcskit export' again")  # fmt: skip
    return model


def implementations(
    bundle: Bundle, *, tflm_vectors: int, litert_vectors: int, compiler: str | None = None
) -> list[Implementation]:
    """Return what can compute this bundle's encoder here: NumPy first (the reference), C, TFLM, LiteRT.

    A native bundle's oracle takes only the hidden layers from TFLM, and LiteRT, which ends in int8 too, is left out.
    """
    tables, thresholds = bundle.tables, bundle.manifest.thresholds
    if len(thresholds) != tables.levels - 1 or sorted(thresholds) != list(thresholds):
        raise QcsError(f"bundle '{bundle.path}': manifest.json lists {len(thresholds)} thresholds, expected "
                       f"{tables.levels - 1} in ascending order; run 'qcskit export' again")  # fmt: skip
    host = host_model(bundle, compiler)
    found = [
        Implementation("numpy", "reference", lambda x: fast.encode_packed(tables, x)),
        Implementation("c-host", "must agree", host.encode),
        Implementation("c-block", "must agree", host.encode_block),
    ]
    flatbuffer = bundle.file("encoder.tflite").read_bytes()
    if bundle.manifest.profile == "native":
        if tflm_vectors:
            boundaries = NativeOracle(flatbuffer, thresholds)
            found.append(Implementation("tflm hidden + float64", "oracle", lambda x: bundle.packing.pack(
                boundaries.index(x)), tflm_vectors))  # fmt: skip
        return found
    if tflm_vectors:
        oracle = tflm.TflmRuntime(flatbuffer)
        found.append(Implementation("tflm", "oracle", lambda x: bundle.packing.pack(
            tflm.index(oracle.run(x), oracle.output_grid, thresholds)), tflm_vectors))  # fmt: skip
    if litert_vectors:
        lite = litert.LiteRt(flatbuffer, reference=True)
        found.append(Implementation("litert", "reported", lambda x: bundle.packing.pack(
            tflm.index(lite.run(x), lite.output_grid, thresholds)), litert_vectors))  # fmt: skip
    return found


def board_implementations(bundle: Bundle, boards: str, limit: int) -> list[Implementation]:
    """Return one implementation per emulated board: 'all' that are installed (`native` is C on the host), or names.

    The firmware is built now and started at the first vectors. Raises FirmwareError for an unknown board or a missing
    tool.
    """
    if boards == "all":
        found = [board for board in firmware.boards().values() if not board.missing and board.emulator]
    else:
        found = [firmware.find_board(name.strip()) for name in boards.split(",") if name.strip()]
    c_dir, name = bundle.path / "c", bundle.manifest.name
    return [
        Implementation(board.name, "must agree", firmware.BoardEncoder(board, c_dir, name).encode, limit)
        for board in found
    ]


class _CFrontEnd(ctypes.Structure):
    """qcs_front_end_t of qcs.h."""

    _fields_ = (
        ("multiplier", ctypes.c_int32), ("offset", ctypes.c_int16), ("shift", ctypes.c_int8),
        ("zero_point", ctypes.c_int8),
    )  # fmt: skip


def host_quantize(front_end: FrontEnd, counts: NDArray[np.int16], compiler: str | None = None) -> NDArray[np.int8]:
    """Return the int8 network input of ADC counts (any number, one dimension) as the C core computes it."""
    library = ctypes.CDLL(str(build_host_library(compiler=compiler)))
    struct = _CFrontEnd(front_end.multiplier, front_end.offset, front_end.shift, front_end.zero_point)
    out = np.empty(len(counts), np.int8)
    for start in range(0, len(counts), 1 << 15):  # n is uint16_t
        part = np.ascontiguousarray(counts[start : start + (1 << 15)], np.int16)
        library.qcs_quantize(ctypes.byref(struct), ctypes.c_uint16(len(part)), ctypes.c_void_p(part.ctypes.data),
                             ctypes.c_void_p(out.ctypes.data + start))  # fmt: skip
    return out
