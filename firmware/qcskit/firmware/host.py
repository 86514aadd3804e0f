"""The C encoder as a shared library in this process: the same sources a board runs, called through ctypes."""

import ctypes
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.sources import sources

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")

_BLOCK_LANES = 32
"""Mirrors QCS_HOST_BLOCK_LANES of qcs_host.h."""


def build_host_library(
    c_dir: Path | None = None, *, compiler: str | None = None, extra_flags: Sequence[str] = (),
    out_dir: Path | None = None,
) -> Path:  # fmt: skip
    """Return the path of a shared library: core, batch wrappers (ports/host) and the `.c` files of `c_dir`, if given.

    compiler: default $CC, else gcc, else clang. extra_flags come last, e.g. ("-O0", "-fsanitize=undefined").
    Raises FirmwareError if it does not compile, MissingToolError without a compiler.
    """
    root = sources()
    include = [root / "include", root / "src", root / "ports" / "host"]
    files = [*sorted((root / "src").glob("*.c")), *sorted((root / "ports" / "host").glob("*.c"))]
    if c_dir is not None:
        include.append(Path(c_dir).resolve())
        files += model_sources(Path(c_dir))
    job = Job(
        output="libqcs_host.so",
        compiler=compiler
        or os.environ.get("CC")
        or ("gcc" if shutil.which("gcc") or not shutil.which("clang") else "clang"),
        package="gcc",
        purpose="C encoder on the host",
        flags=("-std=c11", "-O3", "-march=native", "-fPIC", "-shared", "-fvisibility=default", *WARNINGS, *extra_flags),
        sources=tuple(files),
        include=tuple(include),
        key_extra=_cpu(),
    )
    return compile_cached(job, out_dir)


def host_compiler() -> str:
    """Return the C compiler for this machine: $CC, else gcc, else clang."""
    found = "clang" if shutil.which("clang") and not shutil.which("gcc") else "gcc"
    return os.environ.get("CC") or found


def model_sources(c_dir: Path) -> list[Path]:
    """Return the C files of an exported model, without the TFLite Micro glue.

    Raises FirmwareError if there are none.
    """
    files = sorted(p.resolve() for p in c_dir.glob("*.c") if not p.name.startswith("qcs_tflm_"))
    if not files:
        raise FirmwareError(f"'{c_dir}' holds no C model; run 'qcskit export' again")
    return files


class HostModel:
    """A `qcs_model_t` in a host library, encoding whole batches.

    library: path from `build_host_library`. model: symbol name such as "qcs_model_demo", or the address of a
    qcs_model_t that the caller keeps alive.
    """

    def __init__(self, library: Path, model: str | int) -> None:
        self._library = ctypes.CDLL(str(library))
        self._model = ctypes.c_void_p(_address(self._library, model) if isinstance(model, str) else model)
        head = np.frombuffer(ctypes.string_at(self._model.value or 0, 18), np.uint8)
        self.model_id = head[:8].tobytes().hex()
        self.inputs, self.outputs, self.levels, self._widest, self.packed_bytes = (
            int(value) for value in head[8:18].view(np.uint16)
        )

    def encode(self, x: NDArray[np.int8] | NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of int8 network inputs or int16 ADC counts (frames, inputs)."""
        if x.dtype == np.int16:
            return self._call("qcs_host_encode_counts_batch", x, np.int16, self.packed_bytes)
        return self._call("qcs_host_encode_batch", x, np.int8, self.packed_bytes)

    def encode_block(self, x: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return what `encode` returns for int8 inputs, from the kernel that works on many vectors side by side."""
        x = _checked(x, np.int8, self.inputs)
        packed = np.empty((len(x), self.packed_bytes), np.uint8)
        scratch = np.empty(_BLOCK_LANES * (2 * self._widest + self.outputs), np.int16)
        self._library.qcs_host_block_batch(
            self._model, ctypes.c_void_p(x.ctypes.data), ctypes.c_size_t(len(x)),
            ctypes.c_void_p(packed.ctypes.data), ctypes.c_void_p(scratch.ctypes.data),
        )  # fmt: skip
        return packed

    def index(self, x: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Return indices (frames, outputs) of int8 network inputs (frames, inputs)."""
        return self._call("qcs_host_index_batch", x, np.int8, self.outputs)

    def _call(self, function: str, x: NDArray[Any], dtype: type, width: int) -> NDArray[np.uint8]:
        x = _checked(x, dtype, self.inputs)
        out = np.empty((len(x), width), np.uint8)
        scratch = np.empty(2 * self._widest, np.int8)
        getattr(self._library, function)(
            self._model, ctypes.c_void_p(x.ctypes.data), ctypes.c_size_t(len(x)),
            ctypes.c_void_p(out.ctypes.data), ctypes.c_void_p(scratch.ctypes.data),
        )  # fmt: skip
        return out


class _CodecStruct(ctypes.Structure):
    """Mirrors qcs_codec_t of qcs_codec.h."""

    _fields_ = (
        ("model", ctypes.c_void_p), ("id", ctypes.POINTER(ctypes.c_uint8 * 8)),
        ("inputs", ctypes.c_uint16), ("outputs", ctypes.c_uint16), ("levels", ctypes.c_uint16),
        ("packed_bytes", ctypes.c_uint16), ("scratch_bytes", ctypes.c_uint16),
        ("kind", ctypes.c_uint8), ("input_types", ctypes.c_uint8), ("encode", ctypes.c_void_p),
    )  # fmt: skip


class HostCodec:
    """A `qcs_codec_t` of any kind in a host library, such as symbol "qcs_codec_demo"."""

    def __init__(self, library: Path, codec: str) -> None:
        self._library = ctypes.CDLL(str(library))
        self._address = _address(self._library, codec)
        struct = _CodecStruct.from_address(self._address)
        self.model_id = bytes(struct.id.contents).hex()
        self.inputs, self.outputs, self.levels = struct.inputs, struct.outputs, struct.levels
        self.packed_bytes, self.kind, self.input_types = struct.packed_bytes, struct.kind, struct.input_types
        self._scratch_bytes = struct.scratch_bytes

    def encode(self, x: NDArray[np.int8] | NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of int8 network inputs or int16 ADC counts (frames, inputs)."""
        input_type = {np.dtype(np.int8): 1, np.dtype(np.int16): 2}.get(x.dtype, 0)
        if not self.input_types & input_type:
            raise FirmwareError(f"this codec does not take {x.dtype} input")
        x = _checked(x, x.dtype.type, self.inputs)
        packed = np.empty((len(x), self.packed_bytes), np.uint8)
        scratch = np.empty(max(self._scratch_bytes, 8), np.int64)
        self._library.qcs_host_codec_batch(
            ctypes.c_void_p(self._address), ctypes.c_uint8(input_type), ctypes.c_void_p(x.ctypes.data),
            ctypes.c_size_t(len(x)), ctypes.c_void_p(packed.ctypes.data), ctypes.c_void_p(scratch.ctypes.data),
        )  # fmt: skip
        return packed


def _checked(x: NDArray[Any], dtype: type, inputs: int) -> NDArray[Any]:
    if x.dtype != dtype or x.ndim != 2 or x.shape[1] != inputs:
        raise FirmwareError(
            f"encoder input is {x.dtype} of shape {x.shape}, expected {np.dtype(dtype)} (frames, {inputs})"
        )
    return np.ascontiguousarray(x)


def _address(library: ctypes.CDLL, symbol: str) -> int:
    try:
        return ctypes.addressof(ctypes.c_uint8.in_dll(library, symbol))
    except ValueError:
        raise FirmwareError(f"the C code defines no {symbol}; run 'qcskit export' again") from None


def _cpu() -> str:
    """Return a key of this machine's instruction set: -march=native results must not travel."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:16]
